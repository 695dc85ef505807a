// Judges an AsyncAPI document by the public parser: prints its diagnostics as JSON.
import { Parser, fromFile } from "@asyncapi/parser";
const { document, diagnostics } = await fromFile(new Parser(), process.argv[2]).parse();
const told = diagnostics.map(({ severity, code, message, path }) => ({ severity, code, message, path: path.join(".") }));
console.log(JSON.stringify({ valid: document !== undefined, diagnostics: told }));
