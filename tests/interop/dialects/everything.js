// @modelcontextprotocol/server-everything, the reference server.

const TEXT = "Grüße, 世界 🌍 \u2028 \"quoted\" \\ \t end";

export const everything = {
  serverName: "mcp-servers/everything",
  session: true,
  // The last three exist only once the server has seen `notifications/initialized`.
  tools: ["echo", "trigger-sampling-request", "trigger-elicitation-request", "get-roots-list"],
  echo: { call: { name: "echo", arguments: { message: TEXT } }, says: `Echo: ${TEXT}` },
  prompt: { get: { name: "args-prompt", arguments: { city: "Łódź" } }, says: "What's weather in Łódź?" },
  template: {
    uriTemplate: "demo://resource/dynamic/text/{resourceId}",
    uri: "demo://resource/dynamic/text/42",
    says: "Resource 42:",
  },
  completion: {
    params: {
      ref: { type: "ref/prompt", name: "completable-prompt" },
      argument: { name: "name", value: "E" },
      context: { arguments: { department: "Sales" } },
    },
    values: ["Eve"],
  },
  updated: { uri: "demo://resource/dynamic/text/1", call: { name: "toggle-subscriber-updates", arguments: {} } },
  logging: { level: "debug", call: { name: "toggle-simulated-logging", arguments: {} }, says: /[- ]level[- ]message/ },
  progress: {
    call: { name: "trigger-long-running-operation", arguments: { duration: 0.2, steps: 10 } },
    steps: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  },
  sampling: { call: { name: "trigger-sampling-request", arguments: { prompt: "hello" } }, onResponseStream: true },
  elicitation: { call: { name: "trigger-elicitation-request", arguments: {} }, onResponseStream: true },
  roots: { call: { name: "get-roots-list", arguments: {} } },
  listChanged: {
    call: { name: "gzip-file-as-resource", arguments: { name: "small.gz", data: "data:text/plain,small" } },
    method: "notifications/resources/list_changed",
  },
  hang: { call: { name: "trigger-long-running-operation", arguments: { duration: 10, steps: 100 } } },
};

export const everythingCannot = {
  "ping from the server": "server-everything has no tool that pings its client",
  resume: "server-everything never ends a response stream early",
};
