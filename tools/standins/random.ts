// A stand-in for the plugin of @pulumi/random. It knows the one resource that the program uses.
import { randomInt } from "node:crypto";
import { type Props, serve } from "./serve.ts";

const INPUTS = ["length", "lower", "upper", "numeric", "special", "overrideSpecial"];

/** A password of the given length, drawn evenly from the kinds of characters that the inputs allow. */
function password(inputs: Props): string {
  const lower = "abcdefghijklmnopqrstuvwxyz";
  const allowed = [
    inputs.numeric !== false && "0123456789",
    inputs.lower !== false && lower,
    inputs.upper !== false && lower.toUpperCase(),
    inputs.special !== false && ((inputs.overrideSpecial as string | undefined) ?? "!@#$%&*()-_=+[]{}<>:?"),
  ];
  const characters = allowed.filter((kind) => kind !== false).join("");
  if (characters === "") throw new Error("no kind of character is left to draw from");
  return Array.from({ length: Number(inputs.length) }, () => characters[randomInt(characters.length)]).join(
    "",
  );
}

serve("random", {
  types: { "random:index/randomPassword:RandomPassword": INPUTS },
  replaces: INPUTS,
  // The id stands in the state in plain text, so it is not the value.
  create: (_type, inputs) => ({ id: "none", outputs: { result: password(inputs) } }),
  update: (_type, _inputs, old) => old,
});
