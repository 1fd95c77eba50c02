import fc from "fast-check";

// Property tests use a fixed seed, so that results are the same on every machine. FUZZ_SEED sets another seed,
// or "random"; with a seed, STATOR_FUZZ_PATH repeats a single case.
const { FUZZ_SEED: seed = "20261124", STATOR_FUZZ_PATH: path } = process.env;
if (seed !== "random") fc.configureGlobal({ seed: Number(seed), ...(path && { path, endOnFailure: true }) });
