import fc from "fast-check";

// Property tests draw the same cases every time, so that a run says the same on every machine. STATOR_FUZZ_SEED
// takes another seed, or "random" to look further.
const seed = process.env.STATOR_FUZZ_SEED;
if (seed !== "random") fc.configureGlobal({ seed: Number(seed ?? 20_261_124) });
