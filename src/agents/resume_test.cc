// A session goes on after a restart by the ids that the model sampled, as the store kept them; without them,
// or with damaged ones, by the text of its messages.
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "agents/gptoss_20b/gptoss_agent.h"
#include "agents/testing/recording_sink.h"
#include "agents/testing/scripted_pool.h"
#include "base/testing/temporary_folder.h"
#include "sessions/store.h"

namespace gptoss::agents {
namespace {

namespace fs = std::filesystem;
using Ids = std::vector<std::int32_t>;

// The prompts of a model, in order. Written by its engine, read between turns.
struct Prompts {
  std::mutex mutex;
  std::vector<Ids> all;
  Ids last() {
    const std::lock_guard lock(mutex);
    return all.empty() ? Ids() : all.back();
  }
};

// The session in one life of the program.
class Life {
 public:
  Life(const fs::path& folder, SessionStore& store, harmony::Conversation conversation) {
    SessionContext context{.id = "s", .folder = folder.string(), .more_folders = {}, .mcp_servers = {}};
    context.choices = std::make_shared<SharedChoices>(Choices{.model = "scripted"});
    context.conversation = std::move(conversation);
    if (!store.Find("s")) {
      StoredSession kept;
      kept.id = "s";
      EXPECT_TRUE(store.Create(kept));
    }
    context.save = [&store](const harmony::Conversation& saved) {
      EXPECT_TRUE(store.SaveConversation("s", saved));
    };
    context.allowed = [](std::string_view) { return false; };
    context.allow = [](std::string_view) {};
    session_ = agent_->Open(std::move(context)).value();
  }
  std::string Answer(const std::string& text) {
    testing::RecordingSink sink;
    const TurnOutcome outcome = session_->Prompt({.prompt = {{.text = text}}, .cancel = {}}, sink);
    EXPECT_FALSE(outcome.error.has_value());
    return sink.Text(acp::MessageKind::kAgent);
  }
  Ids last_prompt() { return prompts_->last(); }

 private:
  std::shared_ptr<Prompts> prompts_ = std::make_shared<Prompts>();
  std::unique_ptr<ModelPool> pool_ =
      testing::MakeScriptedPool({.watch = [prompts = prompts_](const Ids& prompt) {
        const std::lock_guard lock(prompts->mutex);
        prompts->all.push_back(prompt);
      }});
  std::unique_ptr<Agent> agent_ = MakeGptOssAgent(*pool_, {.version = "test"});
  std::unique_ptr<AgentSession> session_;
};

class ResumeTest : public ::testing::Test {
 protected:
  void SetUp() override { std::ofstream(folder_ / "notes.txt") << "forty-two\n"; }
  fs::path file() const { return folder_ / "state" / "sessions.db"; }
  harmony::Conversation Load() { return SessionStore::Open(file()).value()->LoadConversation("s").value(); }
  const TemporaryFolder temporary_;
  const fs::path folder_ = temporary_.path();
};

constexpr const char* kFirst =
    "!think hm\n!call read_file {\"path\":\"notes.txt\"}\n!think well\n!apart It says forty-two.";

TEST_F(ResumeTest, TheNextPromptIsTheSameAsWithoutARestart) {
  const auto store = SessionStore::Open(file()).value();
  Life live(folder_, *store, {});
  EXPECT_EQ(live.Answer(kFirst), "It says forty-two.");
  const harmony::Conversation kept = Load();
  EXPECT_EQ(live.Answer("!context"), "users=2 results=0 interrupted=0 last=forty-two\n");

  Life resumed(folder_, *store, kept);
  EXPECT_EQ(resumed.Answer("!context"), "users=2 results=0 interrupted=0 last=forty-two\n");
  EXPECT_FALSE(live.last_prompt().empty());
  EXPECT_EQ(resumed.last_prompt(), live.last_prompt());

  // The text alone would make other ids of the answer.
  harmony::Conversation text = kept;
  for (harmony::Message& message : text.messages) message.ids.clear();
  Life by_text(folder_, *store, text);
  EXPECT_EQ(by_text.Answer("!context"), "users=2 results=0 interrupted=0 last=forty-two\n");
  EXPECT_NE(by_text.last_prompt(), live.last_prompt());
}

TEST_F(ResumeTest, DamagedIdsAreMetWithTheMessages) {
  const auto store = SessionStore::Open(file()).value();
  Ids by_text;
  {
    Life life(folder_, *store, {});
    life.Answer(kFirst);
    harmony::Conversation text = Load();
    for (harmony::Message& message : text.messages) message.ids.clear();
    const auto elsewhere = SessionStore::Open("").value();
    Life again(folder_, *elsewhere, text);
    again.Answer("!context");
    by_text = again.last_prompt();
  }
  for (const char* damage : {"substr(ids, 1, length(ids) - 4)", "substr(ids, 1, 5)",
                             "randomblob(length(ids))", "zeroblob(length(ids))", "x''", "substr(ids, 5)"}) {
    SCOPED_TRACE(damage);
    const harmony::Conversation whole = Load();
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(file().c_str(), &database), SQLITE_OK);
    const std::string sql = std::string("UPDATE messages SET ids=") + damage + " WHERE ids IS NOT NULL";
    EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
    EXPECT_GT(sqlite3_changes(database), 2);
    sqlite3_close(database);
    const auto elsewhere = SessionStore::Open("").value();
    Life life(folder_, *elsewhere, Load());
    EXPECT_EQ(life.Answer("!context"), "users=2 results=0 interrupted=0 last=forty-two\n");
    EXPECT_EQ(life.last_prompt(), by_text);
    ASSERT_TRUE(store->SaveConversation("s", whole));
  }
}

}  // namespace
}  // namespace gptoss::agents
