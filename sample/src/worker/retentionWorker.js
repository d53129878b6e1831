import { runHeartbeat } from "../heartbeat.js";

runHeartbeat("retention");
