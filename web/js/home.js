import { localise } from "./times.js";

localise();
