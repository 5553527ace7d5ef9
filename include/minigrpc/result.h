// A value, or the Status that says why there is none; the member names are std::expected's.
//
// Thread rule: like the value itself.
#pragma once

#include <minigrpc/status.h>

#include <concepts>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <type_traits>
#include <utility>

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

  Result(T&& value) : has_value_(true) { std::construct_at(&value_, std::move(value)); }
  Result(const T& value)
    requires std::copy_constructible<T>
      : has_value_(true) {
    std::construct_at(&value_, value);
  }
  // A failure; `error` must not be OK (asserted).
  Result(Status error) : has_value_(false) {
    detail::require(!error.ok(), "Result made from an OK status without a value");
    std::construct_at(&error_, std::move(error));
  }
  Result(Result&& other) noexcept(std::is_nothrow_move_constructible_v<T>) : has_value_(other.has_value_) {
    construct(std::move(other));
  }
  Result(const Result& other)
    requires std::copy_constructible<T>
      : has_value_(other.has_value_) {
    construct(other);
  }
  Result& operator=(Result&& other) noexcept(std::is_nothrow_move_constructible_v<T>) {
    if (this == &other) return *this;
    destroy();
    has_value_ = other.has_value_;
    if constexpr (std::is_nothrow_move_constructible_v<T>) {
      construct(std::move(other));
    } else {
      try {
        construct(std::move(other));
      } catch (...) {  // something has to be there
        has_value_ = false;
        std::construct_at(&error_, StatusCode::kUnknown, "the assigned value's move threw");
        throw;
      }
    }
    return *this;
  }
  Result& operator=(const Result& other)
    requires std::copy_constructible<T>
  {
    return *this = Result(other);
  }
  ~Result() { destroy(); }

  bool has_value() const { return has_value_; }
  explicit operator bool() const { return has_value_; }

  // The value; asserted to be there.
  T& value() & { return checked(), value_; }
  const T& value() const& { return checked(), value_; }
  T&& value() && { return checked(), std::move(value_); }
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
    return error_;
  }
  Status&& error() && {
    detail::require(!has_value(), "error() of a Result that holds a value");
    return std::move(error_);
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
  template <class Other>
  void construct(Other&& other) {
    if (has_value_)
      std::construct_at(&value_, std::forward<Other>(other).value_);
    else
      std::construct_at(&error_, std::forward<Other>(other).error_);
  }
  void destroy() {
    if (has_value_)
      std::destroy_at(&value_);
    else
      std::destroy_at(&error_);
  }

  // Not a std::variant, whose moves call through tables.
  bool has_value_;
  union {
    T value_;
    Status error_;
  };
};

}  // namespace minigrpc
