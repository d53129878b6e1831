import { runHeartbeat } from "../heartbeat.js";

runHeartbeat("billing");
