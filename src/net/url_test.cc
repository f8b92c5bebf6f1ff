#include "net/url.h"

#include <gtest/gtest.h>

namespace gptoss::net {
namespace {

TEST(Url, ReadsWhatIsAWebAddress) {
  const auto url = ParseUrl("HTTPS://Hub.Example:8443/a%20b/../c?x=1#frag");
  ASSERT_TRUE(url) << url.error().message;
  EXPECT_EQ(url->scheme, "https");
  EXPECT_EQ(url->host, "hub.example");
  EXPECT_EQ(url->port, 8443);
  EXPECT_EQ(url->origin(), "https://hub.example:8443");
  EXPECT_EQ(ParseUrl("https://hub.example:443/")->origin(), "https://hub.example");
  EXPECT_EQ(ParseUrl("http://[::1]:80")->origin(), "http://[::1]");
}

TEST(Url, RefusesEverythingElse) {
  for (const std::string_view bad :
       {"", "ftp://host/x", "file:///etc/passwd", "http://", "https://user:secret@host/", "http://a b/",
        "http://host/\r\nX: y", "http://host/\x01", "hub.example/x y"}) {
    EXPECT_FALSE(ParseUrl(bad)) << bad;
  }
  EXPECT_FALSE(ParseUrl(std::string("http://host/\0x", 14)));
  EXPECT_FALSE(ParseUrl("https://host/" + std::string(9000, 'a')));
  EXPECT_EQ(ParseUrl("https://user:secret@host/").error().message.find("secret"), std::string::npos);
}

TEST(Url, KnowsThisMachine) {
  for (const auto* mine :
       {"http://127.0.0.1:1/", "http://localhost/", "http://[::1]/", "http://127.9.9.9/"}) {
    EXPECT_TRUE(ParseUrl(mine)->loopback()) << mine;
  }
  for (const auto* other : {"http://127.example/", "http://10.0.0.1/", "http://localhost.example/"}) {
    EXPECT_FALSE(ParseUrl(other)->loopback()) << other;
  }
}

TEST(Url, ResolvesReferences) {
  const Url base = *ParseUrl("https://hub.example/a/b?c=1");
  EXPECT_EQ(ResolveUrl(base, "/x?y=2")->text, "https://hub.example/x?y=2");
  EXPECT_EQ(ResolveUrl(base, "x")->text, "https://hub.example/a/x");
  EXPECT_EQ(ResolveUrl(base, "//cdn.example/x")->origin(), "https://cdn.example");
  EXPECT_EQ(ResolveUrl(base, "http://cdn.example/x")->scheme, "http");
  EXPECT_FALSE(ResolveUrl(base, "gopher://cdn.example/x"));
  EXPECT_FALSE(ResolveUrl(base, "/x\ny"));
}

TEST(Url, EncodesNames) {
  EXPECT_EQ(PercentEncode("refs/pr/1"), "refs%2Fpr%2F1");
  EXPECT_EQ(PercentEncode("a b/ü#?.txt", "/"), "a%20b/%C3%BC%23%3F.txt");
}

}  // namespace
}  // namespace gptoss::net
