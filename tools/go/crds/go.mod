module tools/crds

go 1.25

require (
	github.com/cert-manager/cert-manager v1.19.1
	github.com/traefik/traefik/v3 v3.5.4
)
