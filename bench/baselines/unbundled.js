// The server as tsc has compiled it, module by module, without dist/bundle.
const { runProgram } = await import(new URL('../../dist/cli/program.js', import.meta.url));
await runProgram(process.argv);
