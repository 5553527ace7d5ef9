#include <minigrpc/test_kit.h>
#include <sys/socket.h>

#include <future>
#include <list>

#include "net/listener.h"
#include "test_kit/pipe.h"

namespace minigrpc::test_kit {

namespace {

constexpr std::chrono::seconds kConnectMax{30};

// Closing says RST, not FIN.
void reset(net::Socket& socket) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket.descriptor(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  socket.close();
}

}  // namespace

class FaultyLink::Impl {
 public:
  explicit Impl(std::string_view target);
  ~Impl();

  const std::string& address() const { return address_; }
  // Runs `body` on the loop, and waits for it.
  template <class F>
  void run(F body) {
    std::promise<void> done;
    loop_.post([&body, &done] {
      body();
      done.set_value();
    });
    done.get_future().wait();
  }

  // ---- on the loop ----
  Faults& faults(Direction direction) {
    return direction == Direction::kToTarget ? to_target_ : from_target_;
  }
  template <class F>
  void change(F body) {
    body(to_target_);
    body(from_target_);
    go_on();
  }
  void set_cutting(bool cutting) { cutting_ = cutting; }
  void reset_all() {
    while (!connections_.empty()) end(connections_.front());
  }
  Counters counters() const {
    return {accepted_, connections_.size(), to_target_.bytes_passed, from_target_.bytes_passed};
  }

 private:
  // A connection that was accepted, and the one that was made for it.
  struct Connection {
    std::shared_ptr<net::Socket> front;
    std::shared_ptr<net::Socket> back;  // null until it is there
    std::function<void()> cancel_connect;
    std::shared_ptr<Pipe> to_target;
    std::shared_ptr<Pipe> from_target;
    int pipes_over = 0;
  };
  using Place = std::shared_ptr<Connection>;

  void accepted(net::Socket socket);
  void connected(const Place& connection, Result<net::Socket> back);
  void go_on();
  void ended(const Place& connection, Pipe::End how);
  // Resets both its sides.
  void end(Place connection);

  const net::Address target_;
  std::string address_;
  Faults to_target_;
  Faults from_target_;
  bool cutting_ = false;
  std::uint64_t accepted_ = 0;
  std::list<Place> connections_;
  net::Loop loop_;
  std::shared_ptr<net::Listener> listener_;
};

FaultyLink::Impl::Impl(std::string_view target)
    : target_([target] {
        Result<net::Address> address = net::parse_address(target);
        detail::require(address.has_value(), "FaultyLink: the target is not an address");
        return *address;
      }()) {
  Result<std::shared_ptr<net::Listener>> listener =
      net::Listener::open(loop_, *net::parse_address("127.0.0.1:0"));
  detail::require(listener.has_value(), "FaultyLink: no port to listen on");
  listener_ = *listener;
  address_ = "127.0.0.1:" + std::to_string(listener_->port());
  run([this] {
    listener_->start({&loop_}, [this](net::Loop&, net::Socket socket) { accepted(std::move(socket)); });
  });
}

FaultyLink::Impl::~Impl() {
  run([this] {
    listener_->close();
    reset_all();
  });
  // Handlers that were cancelled hold sockets of the loop: they run before it goes.
  loop_.stop();
  while (loop_.drain()) {
  }
}

void FaultyLink::Impl::accepted(net::Socket socket) {
  ++accepted_;
  if (cutting_) return reset(socket);
  const auto connection = std::make_shared<Connection>();
  connection->front = std::make_shared<net::Socket>(std::move(socket));
  connections_.push_back(connection);
  Result<std::vector<net::SocketAddress>> addresses = net::resolve_address(target_);
  if (!addresses) return end(connection);
  connection->cancel_connect =
      net::connect(loop_, *std::move(addresses), net::Loop::now() + kConnectMax,
                   [this, connection](Result<net::Socket> back) { connected(connection, std::move(back)); });
}

void FaultyLink::Impl::connected(const Place& connection, Result<net::Socket> back) {
  connection->cancel_connect = nullptr;
  if (!back) return end(connection);
  connection->back = std::make_shared<net::Socket>(*std::move(back));
  const std::weak_ptr<Connection> weak = connection;
  // Later: a pipe that ends is in the middle of its work.
  const auto ended_later = [this, weak](Pipe::End how) {
    loop_.post([this, weak, how] {
      if (const Place there = weak.lock()) ended(there, how);
    });
  };
  connection->to_target =
      std::make_shared<Pipe>(loop_, connection->front, connection->back, to_target_, ended_later);
  connection->from_target =
      std::make_shared<Pipe>(loop_, connection->back, connection->front, from_target_, ended_later);
  connection->to_target->start();
  connection->from_target->start();
}

void FaultyLink::Impl::go_on() {
  const std::list<Place> all = connections_;
  for (const Place& connection : all) {
    for (const std::shared_ptr<Pipe>& pipe : {connection->to_target, connection->from_target})
      if (pipe != nullptr) pipe->go_on();
  }
}

void FaultyLink::Impl::ended(const Place& connection, Pipe::End how) {
  if (how == Pipe::End::kBroken) return end(connection);
  if (++connection->pipes_over < 2 || connections_.remove(connection) == 0) return;
  connection->front->close();
  connection->back->close();
}

void FaultyLink::Impl::end(Place connection) {
  if (connections_.remove(connection) == 0) return;
  if (connection->cancel_connect) connection->cancel_connect();
  for (const std::shared_ptr<Pipe>& pipe : {connection->to_target, connection->from_target})
    if (pipe != nullptr) pipe->close();
  reset(*connection->front);
  if (connection->back != nullptr) reset(*connection->back);
}

// ---- the public face ----

FaultyLink::FaultyLink(std::string_view target) : impl_(std::make_unique<Impl>(target)) {}
FaultyLink::~FaultyLink() = default;
const std::string& FaultyLink::address() const { return impl_->address(); }

void FaultyLink::pass() {
  impl_->run([this] {
    impl_->set_cutting(false);
    impl_->change([](Faults& faults) { faults = {.bytes_passed = faults.bytes_passed}; });
  });
}

void FaultyLink::cut() {
  impl_->run([this] {
    impl_->set_cutting(true);
    impl_->reset_all();
  });
}

void FaultyLink::hang() {
  impl_->run([this] { impl_->change([](Faults& faults) { faults.hanging = true; }); });
}

void FaultyLink::reset_connections() {
  impl_->run([this] { impl_->reset_all(); });
}

void FaultyLink::set_delay(std::chrono::milliseconds one_way) {
  impl_->run([this, one_way] { impl_->change([one_way](Faults& faults) { faults.delay = one_way; }); });
}

void FaultyLink::set_bandwidth(std::size_t bytes_per_second) {
  impl_->run([this, bytes_per_second] {
    impl_->change([bytes_per_second](Faults& faults) { faults.bytes_per_second = bytes_per_second; });
  });
}

void FaultyLink::reset_after(Direction direction, std::size_t bytes) {
  impl_->run([this, direction, bytes] { impl_->faults(direction).reset_after = bytes; });
}

void FaultyLink::corrupt_after(Direction direction, std::size_t bytes) {
  impl_->run([this, direction, bytes] { impl_->faults(direction).corrupt_after = bytes; });
}

FaultyLink::Counters FaultyLink::counters() const {
  Counters counters;
  impl_->run([this, &counters] { counters = impl_->counters(); });
  return counters;
}

}  // namespace minigrpc::test_kit
