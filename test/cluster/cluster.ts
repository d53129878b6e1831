import type { V1Service } from "@kubernetes/client-node";
import { type ClusterImages, clusterImages } from "../../tools/images/images.ts";
import { ApiServer } from "../engine/api-server.ts";
import { KubernetesClient } from "../kubernetes-client.ts";
import { prepared } from "./isolation.ts";
import { NODE_ADDRESS, setUpNetwork, startNode } from "./node.ts";
import { coredns, traefik, volumes } from "./system.ts";

/** A cluster with a node, on which pods run. */
export interface TestCluster {
  client: KubernetesClient;
  images: ClusterImages;
  /** Where its Traefik takes requests. */
  traefik: string;
  /** The control plane, where it is the test's own. */
  server?: ApiServer;
  remove(): Promise<void>;
}

/** A cluster of the test's own; or the one of the kubeconfig in TEST_KUBECONFIG. */
export async function startCluster(): Promise<TestCluster> {
  const given = process.env.TEST_KUBECONFIG;
  return given ? foreignCluster(given) : ownCluster();
}

async function ownCluster(): Promise<TestCluster> {
  const all = prepared();
  await setUpNetwork();
  const server = await ApiServer.start({ controllers: true, address: NODE_ADDRESS });
  const remove = () => server.remove();
  try {
    await server.apply([...coredns(all), ...traefik(all), ...volumes(all)]);
    await startNode(server, all);
    await server.kubectl([
      "wait",
      "deployment",
      "--all",
      "--namespace=kube-system",
      "--for=condition=Available",
      "--timeout=90s",
    ]);
    return { client: server, images: all.images, traefik: await traefikOf(server), server, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Its nodes have the images; everything that the tests make in it is removed. */
async function foreignCluster(kubeconfig: string): Promise<TestCluster> {
  const client = new (class extends KubernetesClient {
    kubeconfig = () => kubeconfig;
  })();
  if ((await client.api().get("/api/v1/namespaces/rejourney")) !== undefined)
    throw new Error("The cluster of TEST_KUBECONFIG has a namespace rejourney, which the tests would delete");
  const remove = async () => {
    await client.kubectl(["delete", "namespace", "rejourney", "--ignore-not-found"]);
    await client.kubectl([
      "delete",
      "helmchartconfig",
      "traefik",
      "--namespace=kube-system",
      "--ignore-not-found",
    ]);
  };
  return { client, images: await clusterImages(), traefik: await traefikOf(client), remove };
}

async function traefikOf(client: KubernetesClient): Promise<string> {
  const { status, spec } = await client.get<V1Service>("service", "traefik", "--namespace=kube-system");
  return status?.loadBalancer?.ingress?.[0]?.ip ?? spec!.clusterIP!;
}
