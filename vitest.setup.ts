import fc from "fast-check";

// Property tests draw the same cases every time, so that a run says the same on every machine. STATOR_FUZZ_SEED
// takes another seed, or "random" to look further; with a seed, STATOR_FUZZ_PATH runs the one case there again.
const { STATOR_FUZZ_SEED: seed = "20261124", STATOR_FUZZ_PATH: path } = process.env;
if (seed !== "random") fc.configureGlobal({ seed: Number(seed), ...(path && { path, endOnFailure: true }) });
