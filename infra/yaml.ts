import { stringify } from "yaml";

/** YAML in a stable order, quoted so that readers of YAML 1.1 (`no`, `8080:80`) and 1.2 read the same. */
export function yamlText(value: unknown): string {
  return stringify(value, { schema: "yaml-1.1", lineWidth: 0, aliasDuplicateObjects: false });
}
