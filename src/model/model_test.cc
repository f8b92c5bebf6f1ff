#include <gtest/gtest.h>

TEST(Model, X) {}
