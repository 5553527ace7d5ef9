#include "etcd/authenticator.h"

#include "etcd/api/auth.minigrpc.h"
#include "etcd/waiting.h"

namespace minigrpc::etcd {

namespace pb = etcdserverpb;

namespace {

Task<Result<std::string>> sign_in(const Channel& channel, pb::AuthenticateRequest request,
                                  CallOptions options) {
  auto calling = pb::Auth::Client(channel).Authenticate(request, std::move(options));
  Result<pb::AuthenticateResponse> response = co_await calling;
  if (response) co_return std::move(*response->mutable_token());
  if (response.error().message().find("authentication is not enabled") != std::string::npos)
    co_return std::string();
  co_return std::move(response).error();
}

}  // namespace

Authenticator::Authenticator(Runtime& runtime, std::string user, std::string password)
    : runtime_(runtime), user_(std::move(user)), password_(std::move(password)) {}

Task<Result<Authenticator::Token>> Authenticator::token(const Channel& channel, CallOptions options) {
  if (user_.empty()) co_return Token();
  while (true) {
    {
      std::lock_guard lock(mutex_);
      if (token_) co_return Token{*token_, false};
      if (!asking_) {
        asking_ = true;
        answered_.reset();
        break;
      }
    }
    Task<Status> waiting = wait_for(runtime_, answered_);
    Status waited = co_await waiting;
    if (!waited.ok()) co_return waited;
  }
  pb::AuthenticateRequest request;
  request.set_name(user_);
  request.set_password(password_);
  Task<Result<std::string>> asking = sign_in(channel, std::move(request), std::move(options));
  Result<std::string> token = co_await asking;
  {
    std::lock_guard lock(mutex_);
    asking_ = false;
    if (token) token_ = *token;
  }
  answered_.set();
  if (!token) co_return std::move(token).error();
  co_return Token{*std::move(token), true};
}

bool Authenticator::refused(const Status& failure) {
  if (user_.empty() || failure.origin() != StatusOrigin::kPeer) return false;
  bool about_token = false;
  for (const std::string_view text :
       {"invalid auth token", "revision of auth store is old", "user name is empty"})
    about_token = about_token || failure.message().find(text) != std::string::npos;
  if (about_token) forget();
  return about_token;
}

void Authenticator::forget() {
  std::lock_guard lock(mutex_);
  token_.reset();
}

}  // namespace minigrpc::etcd
