// The servers under servers/ all offer the same tools, so one dialect serves them.

const TEXT = "Grüße, 世界 🌍 \u2028 \"quoted\" \\ \t end";

export const own = {
  serverName: "interop-server",
  session: true,
  tools: ["echo", "progress", "sample", "hang"],
  echo: { call: { name: "echo", arguments: { message: TEXT } }, says: TEXT },
  prompt: { get: { name: "greet", arguments: { name: "Ada" } }, says: "Greet Ada" },
  template: { uriTemplate: "interop://item/{id}", uri: "interop://item/42", says: "item 42" },
  completion: {
    params: { ref: { type: "ref/prompt", name: "greet" }, argument: { name: "name", value: "A" } },
    values: ["Ada", "Alan"],
  },
  updated: { uri: "interop://note", call: { name: "touch", arguments: {} } },
  logging: { level: "info", call: { name: "log", arguments: {} }, says: /^logged$/ },
  progress: { call: { name: "progress", arguments: { steps: 20 } }, steps: Array.from({ length: 20 }, (_, i) => i + 1) },
  sampling: { call: { name: "sample", arguments: {} }, onResponseStream: true },
  elicitation: { call: { name: "elicit", arguments: {} }, onResponseStream: true },
  pinged: { call: { name: "ping_client", arguments: {} }, onResponseStream: true },
  roots: { call: { name: "roots", arguments: {} } },
  listChanged: { call: { name: "grow", arguments: {} }, method: "notifications/tools/list_changed" },
  hang: { call: { name: "hang", arguments: {} }, witness: { name: "was_cancelled", arguments: {} } },
  resume: { call: { name: "hang_up", arguments: {} }, says: "after the hang-up" },
};
