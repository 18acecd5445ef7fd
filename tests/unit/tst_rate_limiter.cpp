// SPDX-License-Identifier: MIT
#include <QtTest>

#include "server/rate_limiter.h"

using snakepit::shm::RateLimiter;

namespace {
constexpr std::uint32_t kService = 500, kAnn = 1000, kBob = 1001;
constexpr std::int64_t kWindow = RateLimiter::kWindow;
}  // namespace

class RateLimits : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void who_is_alone_is_never_held_back();
    void who_used_up_its_share_waits_for_the_next_window_and_others_do_not();
    void coming_again_does_not_renew_the_share();
    void a_user_gets_a_quarter_of_the_connections_and_administrators_the_last();
};

void RateLimits::who_is_alone_is_never_held_back() {
    RateLimiter shares(kService, 1000);
    QVERIFY(shares.enter(kAnn));
    shares.served(kAnn, 0, kWindow - 1);
    QCOMPARE(shares.pause(kAnn, kWindow - 1), 0);
}

void RateLimits::who_used_up_its_share_waits_for_the_next_window_and_others_do_not() {
    RateLimiter shares(kService, 1000);
    QVERIFY(shares.enter(kAnn) && shares.enter(kBob));
    shares.served(kAnn, 0, RateLimiter::kShare - 1);
    QCOMPARE(shares.pause(kAnn, RateLimiter::kShare), 0);
    shares.served(kAnn, RateLimiter::kShare, RateLimiter::kShare + 1);
    QCOMPARE(shares.pause(kAnn, RateLimiter::kShare + 1), kWindow - RateLimiter::kShare - 1);
    QCOMPARE(shares.pause(kBob, RateLimiter::kShare + 1), 0);
    QCOMPARE(shares.pause(kAnn, kWindow), 0);
    shares.served(kAnn, kWindow, kWindow + 1);  // the old window's use is forgotten
    QCOMPARE(shares.pause(kAnn, kWindow + 1), 0);
}

void RateLimits::coming_again_does_not_renew_the_share() {
    RateLimiter shares(kService, 1000);
    QVERIFY(shares.enter(kAnn) && shares.enter(kBob));
    shares.served(kAnn, 0, RateLimiter::kShare);
    shares.leave(kAnn);
    QVERIFY(shares.enter(kAnn));
    QVERIFY(shares.pause(kAnn, RateLimiter::kShare) > 0);
}

void RateLimits::a_user_gets_a_quarter_of_the_connections_and_administrators_the_last() {
    RateLimiter shares(kService, 1000);
    for (int i = 0; i < 250; ++i) QVERIFY(shares.enter(kAnn));
    QVERIFY(!shares.enter(kAnn));
    shares.leave(kAnn);
    for (std::uint32_t user = kBob; user < kBob + 3; ++user)
        for (int i = 0; i < 228; ++i) QVERIFY(shares.enter(user));
    QVERIFY(shares.enter(kBob));  // 935 now
    QVERIFY(shares.enter(kBob));
    QVERIFY(!shares.enter(kBob + 1));
    shares.leave(kBob + 1);
    for (int i = 0; i < 64; ++i) QVERIFY(shares.enter(i % 2 == 0 ? kService : 0));
    QVERIFY(!shares.enter(kService));
}

QTEST_APPLESS_MAIN(RateLimits)
#include "tst_rate_limiter.moc"
