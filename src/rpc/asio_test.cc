#include <minigrpc/asio.h>

#include <gtest/gtest.h>
#include <minigrpc/runtime.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>

namespace minigrpc {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;

Task<std::string> echo_once(asio::io_context& io) {
  tcp::acceptor acceptor(io, {tcp::v4(), 0});
  acceptor.non_blocking(true);
  tcp::socket client(io);
  tcp::endpoint address(asio::ip::address_v4::loopback(), acceptor.local_endpoint().port());
  co_await client.async_connect(address, use_task);
  tcp::socket server = co_await acceptor.async_accept(use_task);
  const std::string text = "over asio";
  co_await asio::async_write(client, asio::buffer(text), use_task);
  std::string received(text.size(), '\0');
  const std::size_t size = co_await asio::async_read(server, asio::buffer(received), use_task);
  EXPECT_EQ(size, text.size());
  co_return received;
}

TEST(Asio, OperationsAreAwaitedOnAnAsioExecutor) {
  asio::io_context io;
  std::future<std::string> received = co_spawn(io.get_executor(), echo_once(io), asio::use_future);
  io.run();
  EXPECT_EQ(received.get(), "over asio");
}

Task<std::thread::id> thread_after_timer(asio::io_context& io) {
  asio::steady_timer timer(io, 1ms);
  co_await timer.async_wait(use_task);
  co_return std::this_thread::get_id();
}

TEST(Asio, ATaskGoesOnWhereItWas) {
  asio::io_context io;
  const auto work = asio::make_work_guard(io);
  std::thread thread([&] { io.run(); });
  EXPECT_EQ(sync_wait(thread_after_timer(io)), std::this_thread::get_id());
  io.stop();
  thread.join();
}

Task<void> connect_to_nobody(asio::io_context& io) {
  tcp::acceptor acceptor(io, {tcp::v4(), 0});
  tcp::endpoint address(asio::ip::address_v4::loopback(), acceptor.local_endpoint().port());
  acceptor.close();
  tcp::socket client(io);
  const auto outcome = co_await client.async_connect(address, asio::as_tuple(use_task));
  EXPECT_EQ(std::get<0>(outcome), asio::error::connection_refused);
  client.close();
  co_await client.async_connect(address, use_task);
}

TEST(Asio, FailuresAreThrownOrReturned) {
  asio::io_context io;
  std::future<void> done = co_spawn(io.get_executor(), connect_to_nobody(io), asio::use_future);
  io.run();
  EXPECT_THROW(done.get(), boost::system::system_error);
}

Task<bool> sleep_here(Runtime& runtime) { return runtime.sleep_for(1ms); }

TEST(Asio, TheRuntimesOwnWaitsWorkThereToo) {
  asio::io_context io;  // outlives the runtime, whose loops post to it
  Runtime runtime({.loops = 1});
  std::future<bool> slept = co_spawn(io.get_executor(), sleep_here(runtime), asio::use_future);
  io.run();
  EXPECT_TRUE(slept.get());
}

}  // namespace
}  // namespace minigrpc
