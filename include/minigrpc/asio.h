// The bridge to Boost.Asio: every Asio operation awaitable in a Task, and a Task spawned on any Asio executor.
//
//   std::size_t size = co_await socket.async_read_some(buffer, use_task);     // in any Task
//   co_spawn(io.get_executor(), greet(), boost::asio::detached);              // in any Asio program
//
// The only public header that includes Boost. Thread rule: whatever executor the operation completes on, the Task goes
// on where it was. An error_code that says failure is thrown as boost::system::system_error; with
// boost::asio::as_tuple(use_task) it is returned instead. The cancellation of a task does not reach an Asio operation
// that it awaits: close the object, or use Asio's own means.
// An execution context that tasks run on must outlive the Runtime whose operations they await.
#pragma once

#include <minigrpc/task.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>
#include <optional>
#include <tuple>
#include <utility>

namespace minigrpc {

struct use_task_t {};
inline constexpr use_task_t use_task{};

namespace detail {

// What a handler's arguments become: without a leading error, and one value instead of a tuple of one.
template <class... Args>
struct AsioResult {
  using type = std::tuple<Args...>;
  static type take(std::tuple<Args...> all) { return all; }
};
template <>
struct AsioResult<> {
  using type = void;
  static void take(std::tuple<>) {}
};
template <class T>
struct AsioResult<T> {
  using type = T;
  static T take(std::tuple<T> all) { return std::move(std::get<0>(all)); }
};
template <class Rest, class... Args>
struct AsioResultAfterError {
  using type = typename AsioResult<Args...>::type;
  static type take(std::tuple<Rest, Args...> all) {
    return std::apply([](auto&, auto&... rest) { return AsioResult<Args...>::take({std::move(rest)...}); }, all);
  }
};
template <class... Args>
struct AsioResult<boost::system::error_code, Args...> : AsioResultAfterError<boost::system::error_code, Args...> {
  static typename AsioResult<Args...>::type take(std::tuple<boost::system::error_code, Args...> all) {
    if (std::get<0>(all)) throw boost::system::system_error(std::get<0>(all));
    return AsioResultAfterError<boost::system::error_code, Args...>::take(std::move(all));
  }
};
template <>
struct AsioResult<boost::system::error_code> {
  using type = void;
  static void take(std::tuple<boost::system::error_code> all) {
    if (std::get<0>(all)) throw boost::system::system_error(std::get<0>(all));
  }
};
template <class... Args>
struct AsioResult<std::exception_ptr, Args...> : AsioResultAfterError<std::exception_ptr, Args...> {
  static typename AsioResult<Args...>::type take(std::tuple<std::exception_ptr, Args...> all) {
    if (std::get<0>(all)) std::rethrow_exception(std::get<0>(all));
    return AsioResultAfterError<std::exception_ptr, Args...>::take(std::move(all));
  }
};
template <>
struct AsioResult<std::exception_ptr> {
  using type = void;
  static void take(std::tuple<std::exception_ptr> all) {
    if (std::get<0>(all)) std::rethrow_exception(std::get<0>(all));
  }
};

template <class Initiation, class InitArgs, class... Args>
struct AsioAwaiter {
  Initiation initiation;
  InitArgs arguments;
  std::optional<std::tuple<Args...>> outcome{};
  TaskContext* context = nullptr;
  std::coroutine_handle<> awaiter{};

  bool await_ready() const noexcept { return false; }
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise> handle) {
    context = handle.promise().context;
    awaiter = handle;
    // The operation may complete, and *this be gone, before the initiation returns.
    Initiation start = std::move(initiation);
    InitArgs with = std::move(arguments);
    auto handler = [this](Args... args) {
      outcome.emplace(std::move(args)...);
      resume(*context, awaiter);
    };
    std::apply([&](auto&... each) { std::move(start)(std::move(handler), std::move(each)...); }, with);
  }
  std::tuple<Args...> await_resume() { return *std::move(outcome); }
};

template <class Initiation, class InitArgs, class... Args>
Task<typename AsioResult<Args...>::type> await_asio(Initiation initiation, InitArgs arguments) {
  AsioAwaiter<Initiation, InitArgs, Args...> awaiter{std::move(initiation), std::move(arguments)};
  std::tuple<Args...> outcome = co_await awaiter;
  co_return AsioResult<Args...>::take(std::move(outcome));
}

// An Asio executor as a place where tasks run.
class AsioExecutor final : public Executor {
 public:
  explicit AsioExecutor(boost::asio::any_io_executor executor) : work_(std::move(executor)) {}
  void post(std::coroutine_handle<> coroutine) override {
    boost::asio::post(work_.get_executor(), [coroutine] { coroutine.resume(); });
  }
  // Asio does not tell for every executor; posting is right in any case.
  bool is_current() const override { return false; }

 private:
  boost::asio::executor_work_guard<boost::asio::any_io_executor> work_;
};

// One spawned task, from its start to its handler.
template <class T, class Handler>
struct AsioSpawn {
  AsioSpawn(boost::asio::any_io_executor at, Handler then)
      : executor(at), context(executor), handler(std::move(then)), fallback(std::move(at)) {}

  AsioExecutor executor;
  TaskContext context;
  Outcome<T> outcome;
  Handler handler;
  boost::asio::any_io_executor fallback;

  static void done(void* pointer) noexcept {
    std::unique_ptr<AsioSpawn> self(static_cast<AsioSpawn*>(pointer));
    Handler then = std::move(self->handler);
    Outcome<T> outcome = std::move(self->outcome);
    const auto where = boost::asio::get_associated_executor(then, self->fallback);
    self.reset();
    boost::asio::dispatch(where, [then = std::move(then), outcome = std::move(outcome)]() mutable {
      if constexpr (std::is_void_v<T>)
        std::move(then)(outcome.failure);
      else
        std::move(then)(outcome.failure, outcome.value ? std::move(*outcome.value) : T());
    });
  }
};

template <class T>
struct SpawnSignature {
  using type = void(std::exception_ptr, T);
};
template <>
struct SpawnSignature<void> {
  using type = void(std::exception_ptr);
};

}  // namespace detail

// Runs `task` on `executor`, a strand where it has several threads, and completes `token` with
// void(std::exception_ptr) or void(std::exception_ptr, T); T must have a default constructor.
template <class AsioExecutorType, class T, class Token>
auto co_spawn(const AsioExecutorType& executor, Task<T> task, Token&& token) {
  return boost::asio::async_initiate<Token, typename detail::SpawnSignature<T>::type>(
      [](auto handler, boost::asio::any_io_executor at, Task<T> body) {
        using Spawn = detail::AsioSpawn<T, decltype(handler)>;
        auto* spawn = new Spawn(std::move(at), std::move(handler));  // deletes itself in done()
        auto root = detail::run_detached(detail::capture<T>(std::move(body), &spawn->outcome));
        boost::asio::post(spawn->fallback, [spawn, root]() mutable { root.start(spawn->context, &Spawn::done, spawn); });
      },
      token, boost::asio::any_io_executor(executor), std::move(task));
}

}  // namespace minigrpc

template <class... Args>
class boost::asio::async_result<minigrpc::use_task_t, void(Args...)> {
 public:
  using return_type = minigrpc::Task<typename minigrpc::detail::AsioResult<std::decay_t<Args>...>::type>;

  template <class Initiation, class... InitArgs>
  static return_type initiate(Initiation&& initiation, minigrpc::use_task_t, InitArgs&&... args) {
    using Arguments = std::tuple<std::decay_t<InitArgs>...>;
    return minigrpc::detail::await_asio<std::decay_t<Initiation>, Arguments, std::decay_t<Args>...>(
        std::forward<Initiation>(initiation), Arguments(std::forward<InitArgs>(args)...));
  }
};
