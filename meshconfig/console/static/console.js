// What every page has. Pages read without it; it adds local times and live parts.
import { localTimes } from "./time.js";
import { live } from "./live.js";

localTimes(document);
live(document);
