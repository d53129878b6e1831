import { parse } from "yaml";
import type { ComposeProject } from "./compose-spec.ts";
import { yamlText } from "../yaml.ts";

/**
 * The project as environment variables: the names of its services in SERVICES, a service in `SERVICE_<NAME>`, the rest
 * in PROJECT. Each service is an input of its own, so that a preview shows which one changes, and how.
 */
export function projectVariables({ services, ...project }: ComposeProject): Record<string, string> {
  return {
    PROJECT: yamlText(project),
    SERVICES: Object.keys(services).join(" "),
    ...Object.fromEntries(
      Object.entries(services).map(([name, service]) => [
        serviceVariable(name),
        yamlText({ [name]: service }),
      ]),
    ),
  };
}

/** The project in these variables. Throws when one is not there. */
export function projectOf(variables: NodeJS.ProcessEnv): ComposeProject {
  const text = (name: string) => {
    const value = variables[name];
    if (value === undefined)
      throw new Error(`${name} is not set: the deployment runs this command, not a person`);
    return value;
  };
  const project = parse(text("PROJECT")) as Omit<ComposeProject, "services">;
  const services = text("SERVICES")
    .split(" ")
    .map((name) => parse(text(serviceVariable(name))) as ComposeProject["services"]);
  return { ...project, services: Object.assign({}, ...services) as ComposeProject["services"] };
}

const serviceVariable = (service: string) => variableOf("SERVICE", service);

/** The variable that holds the hash of the secrets that a service reads. */
export const hashVariable = (service: string) => variableOf("SECRETS_HASH", service);

function variableOf(prefix: string, service: string): string {
  return `${prefix}_${service.toUpperCase().replaceAll("-", "_")}`;
}
