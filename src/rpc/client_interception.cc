#include "rpc/client_interception.h"

#include "rpc/channel_impl.h"
#include "rpc/client_call.h"

namespace minigrpc {

std::string_view ClientContext::method() const { return call_.method_; }
MethodKind ClientContext::kind() const { return call_.kind_; }
std::string_view ClientContext::authority() const { return call_.call_.channel().authority(); }
Metadata& ClientContext::metadata() { return call_.call_.options().metadata; }
TimePoint ClientContext::deadline() const { return call_.call_.deadline(); }
void ClientContext::shorten_deadline(TimePoint deadline) {
  call_.call_.shorten_deadline(deadline);
  if (deadline < call_.task_context_.deadline()) call_.task_context_.set_deadline(deadline);
}
const CallDetails& ClientContext::details() const {
  static const CallDetails kNone;
  const CallDetails* details = call_.call_.options().details;
  return details != nullptr ? *details : kNone;
}
const ContextValues& ClientContext::values() const { return call_.values_; }
std::uint64_t ClientContext::messages_sent() const { return call_.call_.messages_sent(); }
std::uint64_t ClientContext::messages_received() const { return call_.call_.messages_received(); }

Task<Status> NextClient::operator()() { return call_->next(index_); }

namespace rpc {

ClientInterception::ClientInterception(ClientCallCore& call, const TaskContext& from)
    : call_(call),
      method_(call.method().path),
      kind_(call.method().kind),
      task_context_(call.loop(), call.deadline()),
      context_(*this),
      values_(from.values() != nullptr ? *from.values() : ContextValues()) {
  call_.retain();
  if (call_.options().details == nullptr) call_.options().details = &details_;
}

ClientInterception::~ClientInterception() {
  if (call_.options().details == &details_) call_.options().details = nullptr;
  call_.release();
}

void ClientInterception::start() {
  detail::run_detached(drive()).start(
      task_context_, [](void* self) noexcept { delete static_cast<ClientInterception*>(self); }, this);
}

Task<void> ClientInterception::drive() {
  Status status(StatusCode::kUnknown, "");
  try {
    Task<Status> outermost = next(0);
    status = co_await outermost;
  } catch (...) {
    status = Status(StatusCode::kUnknown, "an interceptor failed with an exception");
  }
  if (status.ok() && !reached_)
    status = Status(StatusCode::kInternal, "an interceptor ended the call with OK, and without sending it");
  call_.conclude(std::move(status));
}

Task<Status> ClientInterception::next(std::size_t index) {
  const auto& interceptors = call_.channel().options().interceptors;
  if (index == interceptors.size()) return run_call();
  return interceptors[index]->intercept(context_, NextClient(*this, index + 1));
}

// Awaited: until the call is over.
struct ClientInterception::CallEnd {
  ClientInterception& of;
  bool await_ready() const noexcept { return of.ended_.has_value(); }
  void await_suspend(std::coroutine_handle<> waiting) noexcept { of.waiter_ = waiting; }
  void await_resume() const noexcept {}
};

Task<Status> ClientInterception::run_call() {
  detail::require(!std::exchange(reached_, true), "an interceptor called next() twice");
  if (!ended_) call_.proceed();
  CallEnd end{*this};
  co_await end;
  co_return *ended_;
}

void ClientInterception::call_ended(Status status) {
  ended_ = std::move(status);
  if (auto waiter = std::exchange(waiter_, nullptr)) waiter.resume();
}

}  // namespace rpc
}  // namespace minigrpc
