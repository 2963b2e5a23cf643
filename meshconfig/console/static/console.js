// What every page has. Pages read without it; it adds local times and live parts.
import { localTimes } from "./time.js";
import { live } from "./live.js";
import { copying } from "./copy.js";
import { once } from "./once.js";

localTimes(document);
live(document);
copying(document);
once(document);
