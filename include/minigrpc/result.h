// A value, or the Status that says why there is none; the member names are std::expected's.
//
// Thread rule: like the value itself.
#pragma once

#include <minigrpc/status.h>

#include <cstdio>
#include <cstdlib>
#include <type_traits>
#include <utility>
#include <variant>

namespace minigrpc {

namespace detail {
// A bug, not an error: says what was violated and aborts, in release builds too.
[[noreturn]] inline void contract_violation(const char* what) {
  std::fprintf(stderr, "minigrpc: contract violation: %s\n", what);
  std::abort();
}
inline void require(bool holds, const char* what) {
  if (!holds) [[unlikely]] contract_violation(what);
}
}  // namespace detail

template <class T>
class [[nodiscard]] Result {
  static_assert(!std::is_same_v<std::remove_cvref_t<T>, Status>, "Result<Status> is Status");

 public:
  using value_type = T;
  using error_type = Status;

  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  // A failure; `error` must not be OK (asserted).
  Result(Status error) : state_(std::in_place_index<1>, std::move(error)) {
    detail::require(!std::get<1>(state_).ok(), "Result made from an OK status without a value");
  }

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  // The value; asserted to be there.
  T& value() & { return checked(), *std::get_if<0>(&state_); }
  const T& value() const& { return checked(), *std::get_if<0>(&state_); }
  T&& value() && { return checked(), std::move(*std::get_if<0>(&state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  template <class U>
  T value_or(U&& fallback) const& {
    return has_value() ? **this : static_cast<T>(std::forward<U>(fallback));
  }

  // The failure; asserted to be one.
  const Status& error() const& {
    detail::require(!has_value(), "error() of a Result that holds a value");
    return *std::get_if<1>(&state_);
  }
  Status&& error() && {
    detail::require(!has_value(), "error() of a Result that holds a value");
    return std::move(*std::get_if<1>(&state_));
  }
  // The failure, or OK.
  Status status() const { return has_value() ? Status() : error(); }

  // f(value) on success, the failure otherwise. f returns a Result.
  template <class F>
  auto and_then(F&& f) && -> std::invoke_result_t<F, T&&> {
    if (has_value()) return std::forward<F>(f)(std::move(**this));
    return std::move(*this).error();
  }
  // Result of f(value) on success, the failure otherwise.
  template <class F>
  auto transform(F&& f) && -> Result<std::invoke_result_t<F, T&&>> {
    if (has_value()) return std::forward<F>(f)(std::move(**this));
    return std::move(*this).error();
  }

 private:
  void checked() const {
    if (!has_value()) [[unlikely]] {
      std::fprintf(stderr, "minigrpc: value() of a failed Result: %s\n", error().to_string().c_str());
      std::abort();
    }
  }
  std::variant<T, Status> state_;
};

}  // namespace minigrpc
