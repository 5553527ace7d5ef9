#include <minigrpc/channel.h>

#include <algorithm>

#include "base/limits.h"
#include "net/address.h"
#include "rpc/channel_impl.h"
#include "rpc/client_call.h"
#include "rpc/load_report.h"

namespace minigrpc {

namespace rpc {

ChannelImpl::ChannelImpl(Runtime& runtime, std::string_view target, ChannelOptions options)
    : runtime_(runtime),
      loop_(runtime.impl().here_or_next()),
      target_text_(target),
      options_(std::move(options)),
      target_(parse_target(target)),
      entity_(channelz::Kind::kChannel, target_text_, {&calls_}, net::Loop::now()) {
  runtime.impl().channelz().join(entity_, nullptr);
  if (!options_.authority.empty()) {
    authority_ = options_.authority;
  } else if (target_ && (target_->scheme.starts_with("unix") || target_->scheme == "in-process")) {
    authority_ = "localhost";
  } else if (target_) {
    authority_ = target_->path.substr(0, target_->path.find(','));
  }
  server_name_ = options_.credentials.server_name();
  if (server_name_.empty())
    if (const Result<net::Address> address = net::parse_address(authority_)) server_name_ = address->host;
  if (server_name_.empty()) server_name_ = authority_;
  user_agent_ = options_.user_agent_prefix + (options_.user_agent_prefix.empty() ? "" : " ") + "grpc-c++-minigrpc/0.1.0";
}

ChannelImpl::~ChannelImpl() = default;

// ---- resolving ----

void ChannelImpl::start_resolving() {
  if (resolving_) return;
  resolving_ = true;
  const auto fail = [this](Status why) {
    resolver_failure_ = Status(StatusCode::kUnavailable, "target '" + target_text_ + "': " + why.message());
    note("resolving failed", why);
    update_state();
  };
  if (!target_) return fail(target_.error());
  Result<ResolverFactory> factory =
      options_.resolver ? options_.resolver : runtime_.impl().find_resolver(target_->scheme);
  if (!factory) return fail(std::move(factory).error());
  Result<std::unique_ptr<Resolver>> resolver = (*factory)(runtime_, *target_);
  if (!resolver) return fail(std::move(resolver).error());
  resolver_ = *std::move(resolver);
  if (!options_.service_config.empty()) {
    auto config = parse_config(options_.service_config);
    if (!config) return fail(std::move(config).error());
    default_config_ = *std::move(config);
  }
  config_text_.clear();
  // Not only with the first endpoints: a policy that is not known is heard of at once.
  if (Status used = use_config(default_config_); !used.ok()) return fail(std::move(used));
  resolver_->start([weak = weak_from_this(), &loop = loop_](Result<Resolution> found) {
    auto shared = std::make_shared<Result<Resolution>>(std::move(found));
    const auto deliver = [weak, shared] {
      if (const auto self = weak.lock()) self->on_resolved(std::move(*shared));
    };
    loop.post(deliver);
  });
}

Result<std::shared_ptr<const ServiceConfig>> ChannelImpl::parse_config(const std::string& json) const {
  Result<ServiceConfig> config = ServiceConfig::parse(
      json, [this](std::string_view policy) { return runtime_.impl().find_balancer(policy) != nullptr; });
  if (!config) return Status(config.error().code(), "service config: " + config.error().message());
  return std::make_shared<const ServiceConfig>(*std::move(config));
}

Status ChannelImpl::use_config(std::shared_ptr<const ServiceConfig> config) {
  PolicyConfig policy;
  if (config != nullptr && config->policy())
    policy = *config->policy();
  else
    policy.name = options_.policy.empty() ? std::string(resolver_->default_policy()) : options_.policy;
  if (!balancer_ || policy != policy_) {
    const BalancerFactory factory = runtime_.impl().find_balancer(policy.name);
    if (!factory) return Status(StatusCode::kInvalidArgument, "no policy '" + policy.name + "' was added to the runtime");
    Result<std::unique_ptr<Balancer>> balancer = factory(*this, policy.json);
    if (!balancer) {
      const std::string where = policy.path.empty() ? "policy '" + policy.name + "': " : "service config: " + policy.path + ".";
      return Status(balancer.error().code(), where + balancer.error().message());
    }
    loop_.disarm(balancer_timer_);
    balancer_ = *std::move(balancer);
    policy_ = std::move(policy);
  }
  if (config == nullptr || !config->retry_throttling())
    throttle_.reset();
  else if (throttle_)
    throttle_->configure(*config->retry_throttling());
  else
    throttle_.emplace(*config->retry_throttling());
  config_ = std::move(config);
  configure_outliers();
  return Status();
}

void ChannelImpl::on_resolved(Result<Resolution> found) {
  if (is_shut_down() || !balancer_) return;
  Status failure = found.status();
  if (found && found->service_config != config_text_) {
    auto config = found->service_config.empty() ? default_config_ : parse_config(found->service_config);
    failure = config ? use_config(*config) : config.error();
    if (failure.ok()) config_text_ = found->service_config;
    failure.ok() ? note("service config changed") : note("service config refused", failure);
    // Where one held already, it goes on to hold; the endpoints are good all the same.
    if (!failure.ok() && have_endpoints_) failure = Status();
  }
  if (!failure.ok()) {
    note("resolving failed", failure);
    // The last good list stands.
    if (!have_endpoints_)
      resolver_failure_ = Status(StatusCode::kUnavailable, "target '" + target_text_ + "': " + failure.message());
    return update_state();
  }
  use_endpoints(std::move(found->endpoints));
}

void ChannelImpl::use_endpoints(std::vector<Endpoint> endpoints) {
  have_endpoints_ = !endpoints.empty();
  resolver_failure_ = have_endpoints_ ? Status()
                                      : Status(StatusCode::kUnavailable, "no endpoint is known for '" + target_text_ + "'");
  Subchannels ordered;
  std::map<std::string, std::shared_ptr<SubchannelImpl>> next;
  for (Endpoint& endpoint : endpoints) {
    const std::string address = endpoint.address;
    if (next.contains(address)) continue;
    std::shared_ptr<SubchannelImpl> subchannel;
    if (const auto known = subchannels_.find(address); known != subchannels_.end()) {
      subchannel = known->second;
      subchannel->set_endpoint(std::move(endpoint));
    } else {
      subchannel = std::make_shared<SubchannelImpl>(
          runtime_.impl(), loop_, options_, server_name_, std::move(endpoint),
          [this](SubchannelImpl& changed) { on_subchannel_changed(changed); });
      runtime_.impl().channelz().join(subchannel->entity(), &entity_);
      note("subchannel created", *subchannel);
    }
    configure(*subchannel);
    next.emplace(address, subchannel);
    ordered.push_back(std::move(subchannel));
  }
  next.swap(subchannels_);
  balancer_->update(ordered);
  if (std::exchange(connect_wanted_, false)) balancer_->exit_idle();
  for (auto& [address, subchannel] : next)
    if (!subchannels_.contains(address)) drop(*subchannel);
  update_state();
}

void ChannelImpl::drop(SubchannelImpl& subchannel) {
  note("subchannel deleted", subchannel);
  subchannel.drop();
}

// ---- what is asked of endpoints ----

void ChannelImpl::configure(SubchannelImpl& subchannel) {
  // A connection chosen once is not given up for another: pick_first asks for no one's health (gRPC A17).
  const ServerWatch::Caller caller{
      .authority = authority_, .scheme = std::string(scheme()), .user_agent = user_agent_};
  std::optional<HealthWatch::Request> health;
  if (config_ != nullptr && config_->health_service() && policy_.name != "pick_first")
    health = {.service = *config_->health_service(), .caller = caller};
  subchannel.check_health(std::move(health));
  std::optional<ServerWatch::Request> load;
  if (const auto period = balancer_->load_report_period())
    load = {.path = std::string(kLoadReportsPath),
            .message = serialize_load_request(*period),
            .caller = caller,
            .answer_size_max = limits::kLoadReportSizeMax};
  subchannel.watch_load(std::move(load));
  subchannel.tally().wants_load = balancer_->wants_load_reports();
  if (!outliers_) subchannel.set_ejected(false);
}

void ChannelImpl::configure_outliers() {
  const bool wanted = config_ != nullptr && config_->outliers() && policy_.name != "pick_first";
  if (!wanted) {
    loop_.disarm(outlier_timer_);
    outliers_.reset();
    return;
  }
  if (outliers_ && outliers_->options() == *config_->outliers()) return;
  outliers_.emplace(*config_->outliers());
  // What was before does not count.
  outliers_->begin(tallies());
  arm_outlier_timer();
}

void ChannelImpl::on_outlier_timer() {
  const auto keep = shared_from_this();
  arm_outlier_timer();
  outliers_->step(now(), tallies(), uniform_random);
  const auto subchannels = subchannels_;
  for (const auto& [address, subchannel] : subchannels)
    if (outliers_) subchannel->set_ejected(outliers_->is_ejected(address));
}

void ChannelImpl::arm_outlier_timer() {
  loop_.arm(outlier_timer_, now() + std::chrono::duration_cast<TimePoint::duration>(outliers_->options().interval));
}

std::map<std::string, CallTally> ChannelImpl::tallies() const {
  std::map<std::string, CallTally> tallies;
  for (const auto& [address, subchannel] : subchannels_) tallies.emplace(address, subchannel->tally());
  return tallies;
}

void ChannelImpl::wake_at(TimePoint time) {
  if (time == TimePoint::max())
    loop_.disarm(balancer_timer_);
  else
    loop_.arm(balancer_timer_, time);
}

// ---- connections ----

void ChannelImpl::on_subchannel_changed(SubchannelImpl& subchannel) {
  if (is_shut_down() || !balancer_) return;
  const ChannelState state = subchannel.state();
  if (resolver_ && (state == ChannelState::kTransientFailure || state == ChannelState::kIdle)) resolver_->refresh();
  balancer_->changed(subchannel);
  update_state();
}

void ChannelImpl::update_state() {
  if (is_shut_down()) return;
  ChannelState state = ChannelState::kConnecting;
  if (!resolver_failure_.ok())
    state = ChannelState::kTransientFailure;
  else if (have_endpoints_)
    state = balancer_->state();
  set_state(state);
  if (state == ChannelState::kReady)
    ready_.set();
  else
    ready_.reset();
  try_pending();
}

void ChannelImpl::set_state(ChannelState state) {
  if (state_.exchange(state, std::memory_order_acq_rel) != state)
    entity_.set_state(state, current_failure(), net::Loop::now());
}

Status ChannelImpl::current_failure() const {
  Status why = resolver_failure_;
  for (const auto& [address, subchannel] : subchannels_)
    if (why.ok()) why = subchannel->failure();
  return why;
}

void ChannelImpl::note(std::string text) {
  entity_.trace().add({.at = net::Loop::now(), .text = std::move(text)});
}

void ChannelImpl::note(std::string text, const Status& failure) {
  entity_.trace().add({.severity = channelz::Severity::kWarning,
                       .at = net::Loop::now(),
                       .text = std::move(text) + ": " + failure.message()});
}

void ChannelImpl::note(std::string text, SubchannelImpl& subchannel) {
  entity_.trace().add({.at = net::Loop::now(),
                       .text = std::move(text),
                       .subchannel_id = subchannel.entity().id(),
                       .subchannel_name = subchannel.entity().name()});
}

void ChannelImpl::connect() {
  loop_.post([self = shared_from_this()] {
    if (self->is_shut_down()) return;
    self->start_resolving();
    if (!self->have_endpoints_)
      self->connect_wanted_ = true;
    else if (self->state() != ChannelState::kReady)
      self->balancer_->exit_idle();
  });
}

void ChannelImpl::on_idle_timer() {
  const auto keep = shared_from_this();
  bool busy = std::exchange(used_, false) || !pending_.empty() || !absent_.empty();
  for (const auto& [address, subchannel] : subchannels_)
    busy = busy || subchannel->calls_in_flight() > 0;
  if (busy) return loop_.arm(idle_timer_, later(net::Loop::now(), options_.idle_timeout));
  resolver_.reset();
  resolving_ = have_endpoints_ = false;
  resolver_failure_ = Status();
  balancer_.reset();
  loop_.disarm(balancer_timer_);
  loop_.disarm(outlier_timer_);
  outliers_.reset();
  for (auto& [address, subchannel] : std::exchange(subchannels_, {})) drop(*subchannel);
  set_state(ChannelState::kIdle);
  ready_.reset();
}

// ---- calls ----

bool ChannelImpl::place(Attempt& attempt) {
  ClientCallCore& call = attempt.call();
  if (!resolver_failure_.ok()) {
    if (call.wait_for_ready()) return false;
    attempt.refuse(resolver_failure_, true);
    return true;
  }
  if (!have_endpoints_) return false;
  if (config_ != nullptr && !call.configured() && call.configure(config_->method(call.method().path))) return true;
  const CallInfo info{call.method().path, call.metadata()};
  Pick pick = balancer_->pick(info);
  while (pick.subchannel != nullptr) {
    auto& subchannel = static_cast<SubchannelImpl&>(*pick.subchannel);
    if (subchannel.usable()) {
      attempt.attach(subchannel.connection());
      return true;
    }
    // Its stream ids are used up: another connection. One that is not kReady is the balancer's mistake, and waits.
    if (subchannel.state() != ChannelState::kReady) return false;
    subchannel.retire();
    pick = balancer_->pick(info);
  }
  if (!pick.failure.ok() && !call.wait_for_ready()) {
    attempt.refuse(pick.failure, false);
    return true;
  }
  return false;
}

void ChannelImpl::start(Attempt& attempt) {
  if (is_shut_down()) return attempt.refuse(shutdown_status(), true);
  used_ = true;
  if (!idle_timer_.armed() && options_.idle_timeout != kNever)
    loop_.arm(idle_timer_, later(net::Loop::now(), options_.idle_timeout));
  start_resolving();
  if (place(attempt)) return;
  if (pending_.size() >= limits::kPendingCallsMax)
    return attempt.refuse(Status(StatusCode::kResourceExhausted, "too many calls wait for a connection"), true);
  pending_.push_back(&attempt);
  if (have_endpoints_) balancer_->exit_idle();
}

void ChannelImpl::try_pending() {
  if (pending_.empty()) return;
  // A call that ends may resume a task that begins another, which may change the channel's state: the pass under way
  // is told to go round once more.
  again_ = true;
  if (retrying_ != nullptr) return;
  while (std::exchange(again_, false)) {
    std::vector<Attempt*> calls;
    calls.swap(pending_);
    retrying_ = &calls;
    // A call that ends may make others end or begin: those are in `calls` or in pending_ while this runs.
    for (std::size_t i = 0; i < calls.size(); ++i) {
      Attempt* call = std::exchange(calls[i], nullptr);
      if (call != nullptr && !place(*call)) pending_.push_back(call);
    }
    retrying_ = nullptr;
  }
  if (!pending_.empty() && have_endpoints_ && !is_shut_down()) balancer_->exit_idle();
}

void ChannelImpl::forget(Attempt& attempt) {
  std::erase(pending_, &attempt);
  if (retrying_ != nullptr)
    std::replace(retrying_->begin(), retrying_->end(), &attempt, static_cast<Attempt*>(nullptr));
  std::erase_if(absent_, [&](Attempt* each) { return each == &attempt; });
}

void ChannelImpl::add_absent(ClientCallCore& call) { absent_.push_back(&call); }

std::string ChannelImpl::why_waiting() const {
  std::string text = "the deadline passed while waiting for a connection to '" + target_text_ + "'";
  const Status why = current_failure();
  if (!why.ok()) text += ": " + why.message();
  return text;
}

void ChannelImpl::shutdown() {
  loop_.post([self = shared_from_this()] {
    if (self->is_shut_down()) return;
    self->set_state(ChannelState::kShutdown);
    self->ready_.reset();
    self->loop_.disarm(self->idle_timer_);
    self->loop_.disarm(self->balancer_timer_);
    self->loop_.disarm(self->outlier_timer_);
    self->resolver_.reset();
    const Status why(StatusCode::kCancelled, "the channel was shut down");
    for (auto& [address, subchannel] : std::exchange(self->subchannels_, {})) subchannel->shutdown(why);
    std::vector<Attempt*> calls;
    calls.swap(self->pending_);
    self->retrying_ = &calls;
    for (std::size_t i = 0; i < calls.size(); ++i)
      if (calls[i] != nullptr) calls[i]->call().end(why);
    self->retrying_ = nullptr;
    while (!self->absent_.empty()) self->absent_.back()->end(why);
    self->balancer_.reset();
  });
}

}  // namespace rpc

Channel::Channel(Runtime& runtime, std::string_view target, ChannelOptions options)
    : impl_(std::make_shared<rpc::ChannelImpl>(runtime, target, std::move(options))) {}
Channel::~Channel() {
  if (impl_) impl_->shutdown();
}
Channel::Channel(Channel&&) noexcept = default;
Channel& Channel::operator=(Channel&& other) noexcept {
  std::swap(impl_, other.impl_);
  return *this;
}
ChannelState Channel::state() const { return impl_->state(); }
void Channel::shutdown() { impl_->shutdown(); }

Task<bool> Channel::wait_until_ready(TimePoint deadline) {
  const std::shared_ptr<rpc::ChannelImpl> impl = impl_;
  impl->connect();
  co_return co_await impl->ready().wait_until(impl->runtime(), deadline);
}

}  // namespace minigrpc
