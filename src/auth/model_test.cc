#include "auth/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "auth/errors.h"

namespace minigrpc::auth {
namespace {

using ::testing::ElementsAre;

const std::string kAll(1, '\0');

Permission reads(std::string key, std::string range_end = {}) {
  return {PermissionType::kRead, std::move(key), std::move(range_end)};
}

// alice, with one role of these permissions.
Model model_with(const std::vector<Permission>& permissions) {
  Model model = *Model().with_user({.name = "alice", .password_hash = "h", .roles = {}});
  model = *model.with_role("r");
  model = *model.with_role_granted("alice", "r");
  for (const Permission& permission : permissions) model = *model.with_permission("r", permission);
  return model;
}

TEST(Model, ARangeIsCoveredWhereThePermissionsLeaveNoGap) {
  struct Row {
    std::vector<Permission> permissions;
    Keys keys;
    bool allowed;
  };
  const Row rows[] = {
      {{}, {"k"}, false},
      {{reads("k")}, {"k"}, true},
      {{reads("k")}, {"kk"}, false},
      {{reads("k")}, {"j"}, false},
      // One key shows nothing of its neighbours, whichever way they are asked for.
      {{reads("k")}, {"k", "l"}, false},
      {{reads("k")}, {"k", kAll}, false},
      {{reads("k")}, {"a", "l"}, false},
      {{reads("k")}, {"k", std::string_view("k\0", 2)}, true},
      {{reads("k")}, {"k", std::string_view("k\0\0", 3)}, false},
      {{reads("a", "c")}, {"a", "c"}, true},
      {{reads("a", "c")}, {"b"}, true},
      {{reads("a", "c")}, {"c"}, false},
      {{reads("a", "c")}, {"b", "d"}, false},
      {{reads("a", "c"), reads("c", "e")}, {"a", "e"}, true},
      {{reads("a", "c"), reads("b", "e")}, {"b", "e"}, true},
      {{reads("a", "c"), reads("d", "e")}, {"a", "e"}, false},
      {{reads("a", "z"), reads("b")}, {"c", "d"}, true},
      {{reads("a", "c"), reads("c"), reads(std::string("c\0", 2), "d")}, {"a", "d"}, true},
      {{reads("a", kAll)}, {"x", kAll}, true},
      {{reads("a", kAll)}, {"x", "y"}, true},
      {{reads("a", "zz")}, {"a", kAll}, false},
      {{reads(kAll, kAll)}, {kAll, kAll}, true},
      // A range without a key asks for its first one.
      {{reads("a", "c")}, {"b", "a"}, true},
      {{reads("a", "c")}, {"x", "b"}, false},
  };
  for (const Row& row : rows) {
    const Model model = model_with(row.permissions);
    EXPECT_EQ(model.check("alice", Right::kRead, row.keys).ok(), row.allowed)
        << row.keys.key << " to " << row.keys.range_end;
    EXPECT_EQ(model.check("alice", Right::kWrite, row.keys), errors::permission_denied());
    EXPECT_EQ(model.check("nobody", Right::kRead, row.keys), errors::permission_denied());
  }
}

TEST(Model, RightsAreApart) {
  const Model model = model_with({{PermissionType::kWrite, "w", {}}, {PermissionType::kReadWrite, "b", {}}});
  EXPECT_FALSE(model.check("alice", Right::kRead, {"w"}).ok());
  EXPECT_TRUE(model.check("alice", Right::kWrite, {"w"}).ok());
  EXPECT_TRUE(model.check("alice", Right::kRead, {"b"}).ok());
  EXPECT_TRUE(model.check("alice", Right::kWrite, {"b"}).ok());
}

TEST(Model, RootMayDoEverything) {
  Model model = model_with({});
  EXPECT_EQ(model.check_root("alice"), errors::permission_denied());
  EXPECT_EQ(model.check_root("nobody"), errors::user_not_found());
  model = *model.with_role_granted("alice", "root");
  EXPECT_TRUE(model.check_root("alice").ok());
  EXPECT_TRUE(model.check("alice", Right::kWrite, {kAll, kAll}).ok());
}

TEST(Model, EveryChangeCountsAndTheOldOneStays) {
  const Model first;
  EXPECT_EQ(first.revision(), 1u);
  const Model second = *first.with_user({.name = "root", .password_hash = {}, .roles = {"root"}});
  EXPECT_EQ(second.revision(), 2u);
  EXPECT_EQ(first.user("root"), nullptr);
  // Enabling changes nobody's rights, and an order that changes nothing does not count.
  const Model enabled = *second.with_enabled();
  EXPECT_TRUE(enabled.enabled());
  EXPECT_EQ(enabled.revision(), 2u);
  EXPECT_EQ(enabled.with_role_granted("root", "root")->revision(), 2u);
  EXPECT_EQ(enabled.with_disabled().revision(), 3u);
  EXPECT_EQ(second.with_disabled().revision(), 2u);
  // What did not change is shared.
  const Model third = *second.with_user({.name = "alice", .password_hash = {}, .roles = {}});
  EXPECT_EQ(third.users().at("root"), second.users().at("root"));
}

TEST(Model, UsersWithoutPasswordGetNone) {
  Model model = *Model().with_user({.name = "cert", .password_hash = {}, .roles = {}, .no_password = true});
  model = *model.with_password("cert", "hash");
  EXPECT_EQ(model.user("cert")->password_hash, "");
}

TEST(Model, ARoleKeepsSeveralRangesOfOneKey) {
  Model model = model_with({reads("a", "c"), reads("a"), reads("a", "b")});
  EXPECT_EQ(model.role("r")->permissions.size(), 3u);
  model = *model.with_permission("r", {PermissionType::kReadWrite, "a", "b"});
  EXPECT_EQ(model.role("r")->permissions.size(), 3u);
  model = *model.without_permission("r", {"a", "b"});
  EXPECT_THAT(model.role("r")->permissions, ElementsAre(reads("a", "c"), reads("a")));
}

}  // namespace
}  // namespace minigrpc::auth
