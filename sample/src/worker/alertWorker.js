import { runHeartbeat } from "../heartbeat.js";

runHeartbeat("alert");
