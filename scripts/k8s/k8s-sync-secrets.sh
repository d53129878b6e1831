#!/bin/sh
# Takes the secrets of an .env file into a stack, and from there into its cluster.
# The file is parsed by `rejourney secrets sync`, never by this shell.
set -eu

if [ $# -lt 2 ] || [ "${1#-}" != "$1" ] || [ "${2#-}" != "$2" ]; then
  echo "Usage: $0 <stack> <env-file> [--dry-run] [--prune] [--direct] [--yes] [--json]" >&2
  echo "Such as: $0 prod .env --dry-run" >&2
  exit 2
fi
stack=$1
env_file=$2
shift 2
exec "$(dirname "$0")/../../cli/rejourney.mjs" secrets sync --stack "$stack" --env-file "$env_file" "$@"
