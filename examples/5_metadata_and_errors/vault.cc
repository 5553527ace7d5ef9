// What travels beside the messages: metadata both ways, statuses, deadlines.
#include "vault.minigrpc.h"

#include <iostream>

using namespace minigrpc;
using namespace std::chrono_literals;

class Vault final : public vault::Vault::Handler {
 public:
  explicit Vault(Runtime& runtime) : runtime_(runtime) {}

  Task<Result<vault::Secret>> Open(ServerContext& context, vault::Key key) override {
    if (context.metadata().get("authorization") != "Bearer open-sesame")
      co_return Status(StatusCode::kUnauthenticated, "say the word");
    context.trailers().add("vault-visits", "1");  // trailers go out with errors, too
    if (key.name() == "slow") co_await runtime_.sleep_for(1h);  // ends at the call's deadline
    if (key.name() != "gold") co_return Status(StatusCode::kNotFound, "no such key: " + key.name());
    vault::Secret secret;
    secret.set_text("40 ingots");
    co_return secret;
  }

 private:
  Runtime& runtime_;
};

void try_key(const vault::Vault::Client& client, const std::string& name, CallOptions options) {
  CallDetails details;
  options.details = &details;
  vault::Key key;
  key.set_name(name);
  const Result<vault::Secret> secret = sync_wait(client.Open(key, options));
  std::cout << name << ": " << (secret ? secret->text() : secret.error().to_string());
  if (details.trailers.get("vault-visits")) std::cout << " (visit counted)";
  std::cout << '\n';
}

int main() {
  Runtime runtime;

  Vault service(runtime);
  Server server(runtime);
  server.add(service);
  const Result<std::uint16_t> port = server.listen("127.0.0.1:0");
  if (!port) {
    std::cerr << port.error().to_string() << '\n';
    return 1;
  }

  const Channel channel(runtime, "127.0.0.1:" + std::to_string(*port));
  const vault::Vault::Client client(channel);
  const Metadata word{{"authorization", "Bearer open-sesame"}};
  try_key(client, "gold", {.timeout = 5s, .metadata = word});
  try_key(client, "gold", {.timeout = 5s});
  try_key(client, "iron", {.timeout = 5s, .metadata = word});

  // How long it took, and which side noticed, is in the status's message: only its code is the same each time.
  vault::Key slow;
  slow.set_name("slow");
  const Result<vault::Secret> late = sync_wait(client.Open(slow, {.timeout = 50ms, .metadata = word}));
  std::cout << "slow: " << status_code_name(late.status().code()) << '\n';
}
