#include "net/signals.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <future>

namespace minigrpc::net {
namespace {

struct Outcome {
  std::promise<int> promise;
  SignalWait::Callback callback() {
    return [this](int signal) { promise.set_value(signal); };
  }
  int get() { return promise.get_future().get(); }
};

TEST(SignalWait, TellsTheFirstOfItsSignals) {
  Outcome outcome;
  Loop loop;
  const std::shared_ptr<SignalWait> wait = SignalWait::create(loop);
  wait->start({SIGUSR1, SIGUSR2}, outcome.callback());
  kill(getpid(), SIGUSR2);
  EXPECT_EQ(outcome.get(), SIGUSR2);
}

TEST(SignalWait, ACancelledOneTellsNoSignal) {
  Outcome outcome;
  Loop loop;
  const std::shared_ptr<SignalWait> wait = SignalWait::create(loop);
  wait->start({SIGUSR1}, outcome.callback());
  wait->cancel();
  EXPECT_EQ(outcome.get(), 0);
}

TEST(SignalWait, WhatCannotBeCaughtIsLeftOut) {
  Outcome outcome;
  Loop loop;
  const std::shared_ptr<SignalWait> wait = SignalWait::create(loop);
  wait->start({SIGKILL, -1, 100'000, SIGUSR1}, outcome.callback());
  kill(getpid(), SIGUSR1);
  EXPECT_EQ(outcome.get(), SIGUSR1);
}

}  // namespace
}  // namespace minigrpc::net
