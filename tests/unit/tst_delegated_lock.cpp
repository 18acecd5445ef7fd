// SPDX-License-Identifier: MIT
// The words of a delegated lock, without manager or client.
#include <QtTest>
#include <atomic>
#include <thread>
#include <vector>

#include "layout/delegated_lock.h"

using namespace snakepit::shm::layout;

namespace {

constexpr std::uint64_t kToken = 0x1234'5678'9ABC'DEF0;
constexpr std::uint32_t kAnn = 100, kBob = 200;

LockWord word_of(const LeaseLock& lock) {
    return LockWord::decode(lock.word.load());
}

}  // namespace

class DelegatedLock : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void words_are_what_they_were();
    void a_hold_ends_and_the_next_has_another_token();
    void one_owner_goes_deeper_and_up_and_down();
    void what_does_not_fit_is_asked_for();
    void another_owner_asks();
    void a_reader_by_permission_never_writes();
    void a_recalled_word_does_not_change();
    void a_stale_base_is_not_used();
    void tokens_do_not_repeat_when_the_sequence_comes_round();
    void threads_exclude_each_other_until_it_is_recalled();

  private:
    // Delegated to Ann, who holds it with one write level.
    std::uint64_t delegate(std::uint64_t token = kToken) {
        return lock_.delegate(token, kAnn, 0, 1);
    }
    LeaseLock lock_{};
};

void DelegatedLock::words_are_what_they_were() {
    const LockWord one{0xFFFF'FFFF, LockWord::kSequences - 1, 31, 15, true, true};
    QCOMPARE(one.encode(), ~std::uint64_t{0});
    for (const std::uint64_t raw : {0ULL, ~0ULL, 0x8000'0000'0000'07C1ULL, 0x55AAULL})
        QCOMPARE(LockWord::decode(raw).encode(), raw);
    QVERIFY(!LockWord::decode(LockWord::kRecalled | 1 << 6).held());  // not delegated
}

void DelegatedLock::a_hold_ends_and_the_next_has_another_token() {
    const auto base = delegate();
    QCOMPARE(LeaseLock::token(base, word_of(lock_).sequence), kToken);
    QCOMPARE(lock_.release(base, kToken + 1), LeaseLock::Release::ask);
    QCOMPARE(lock_.release(base, kToken), LeaseLock::Release::released);
    QVERIFY(!word_of(lock_).held());
    QCOMPARE(word_of(lock_).owner, 0U);
    QCOMPARE(lock_.release(base, kToken), LeaseLock::Release::ask);
    QCOMPARE(lock_.acquire(base, kBob, false, true), std::optional(kToken + 1));
    QCOMPARE(word_of(lock_).owner, kBob);
    QCOMPARE(lock_.release(base, kToken), LeaseLock::Release::ask);
    QCOMPARE(lock_.release(base, kToken + 1), LeaseLock::Release::released);
}

void DelegatedLock::one_owner_goes_deeper_and_up_and_down() {
    const auto base = delegate();
    QCOMPARE(lock_.release(base, kToken), LeaseLock::Release::released);
    const auto token = lock_.acquire(base, kAnn, false, true);
    QVERIFY(token.has_value());
    QCOMPARE(lock_.acquire(base, kAnn, false, true), token);
    QCOMPARE(lock_.acquire(base, kAnn, true, true), token);
    QCOMPARE(lock_.acquire(base, kAnn, false, true), token);  // a write level: it writes
    QCOMPARE(word_of(lock_).read, 2U);
    QCOMPARE(word_of(lock_).write, 2U);
    for (const auto& [read, write] :
         {std::pair(2U, 1U), std::pair(2U, 0U), std::pair(1U, 0U), std::pair(0U, 0U)}) {
        QCOMPARE(lock_.release(base, *token), LeaseLock::Release::released);
        QCOMPARE(word_of(lock_).read, read);
        QCOMPARE(word_of(lock_).write, write);
    }
}

void DelegatedLock::what_does_not_fit_is_asked_for() {
    for (const bool write : {false, true}) {
        lock_.word.store(0);
        const auto base = delegate();
        QCOMPARE(lock_.release(base, kToken), LeaseLock::Release::released);
        unsigned levels = 0;
        while (lock_.acquire(base, kAnn, write, true)) ++levels;
        QCOMPARE(levels, write ? LockWord::kMostWrite : LockWord::kMostRead);
        const auto token = LeaseLock::token(base, word_of(lock_).sequence);
        for (; levels > 0; --levels)
            QCOMPARE(lock_.release(base, token), LeaseLock::Release::released);
        QVERIFY(!word_of(lock_).held());
    }
}

void DelegatedLock::another_owner_asks() {
    const auto base = delegate();
    const auto before = lock_.word.load();
    for (const bool write : {false, true})
        QVERIFY(!lock_.acquire(base, kBob, write, true).has_value());
    QCOMPARE(lock_.word.load(), before);
}

void DelegatedLock::a_reader_by_permission_never_writes() {
    const auto base = lock_.delegate(kToken, kAnn, 1, 0);
    QVERIFY(!lock_.acquire(base, kAnn, true, false).has_value());
    QVERIFY(lock_.acquire(base, kAnn, false, false).has_value());
}

void DelegatedLock::a_recalled_word_does_not_change() {
    const auto base = delegate();
    const auto last = lock_.recall();
    QVERIFY(last.held());
    QCOMPARE(last.write, 1U);
    QCOMPARE(lock_.release(base, kToken), LeaseLock::Release::ask);
    QVERIFY(!lock_.acquire(base, kAnn, true, true).has_value());
    const auto again = lock_.recall();
    QVERIFY(again.recalled);
    QCOMPARE(again.sequence, last.sequence);
    QCOMPARE(again.write, last.write);
    // The next delegation is another one.
    const auto next = lock_.delegate(kToken, kAnn, 0, 1);
    QVERIFY(next != base);
    QCOMPARE(lock_.release(base, kToken), LeaseLock::Release::ask);
    QCOMPARE(lock_.release(next, kToken), LeaseLock::Release::released);
}

void DelegatedLock::a_stale_base_is_not_used() {
    const auto base = delegate();
    QCOMPARE(lock_.release(base, kToken), LeaseLock::Release::released);
    QVERIFY(!lock_.acquire(base + 1, kAnn, true, true).has_value());
    QVERIFY(!word_of(lock_).held());
}

void DelegatedLock::tokens_do_not_repeat_when_the_sequence_comes_round() {
    LockWord almost;
    almost.sequence = LockWord::kSequences - 3;
    lock_.word.store(almost.encode());
    const auto base = delegate();
    QCOMPARE(lock_.release(base, kToken), LeaseLock::Release::released);
    const auto last = lock_.acquire(base, kAnn, true, true);
    QCOMPARE(last, std::optional(kToken + 1));
    QCOMPARE(lock_.release(base, *last), LeaseLock::Release::released);
    QVERIFY(!lock_.acquire(base, kAnn, true, true).has_value());  // asks for another base
    lock_.recall();
    const auto next = lock_.delegate(kToken + 1000, kAnn, 0, 1);
    QCOMPARE(word_of(lock_).sequence, 0U);
    QCOMPARE(lock_.release(next, kToken + 1000), LeaseLock::Release::released);
    QCOMPARE(lock_.acquire(next, kAnn, true, true), std::optional(kToken + 1001));
}

// Whoever is in at the recall is the last one in, and the word says so.
void DelegatedLock::threads_exclude_each_other_until_it_is_recalled() {
    for (int round = 0; round < 200; ++round) {
        lock_.recall();
        const auto base = delegate(kToken + static_cast<unsigned>(round) * 1'000'000);
        std::atomic<int> inside{1};  // Ann, from the delegation
        std::atomic<bool> wrong{false}, recalled{false};
        std::atomic<int> entered{0};
        std::vector<std::thread> threads;
        for (std::uint32_t owner = 1; owner <= 3; ++owner)
            threads.emplace_back([&, owner] {
                while (!recalled) {
                    const auto token = lock_.acquire(base, owner, true, true);
                    if (!token) continue;
                    wrong = wrong || inside.fetch_add(1) != 0;
                    ++entered;
                    inside.fetch_sub(1);
                    if (lock_.release(base, *token) == LeaseLock::Release::released) continue;
                    inside.fetch_add(1);  // the manager's now
                    return;
                }
            });
        inside.fetch_sub(1);
        QCOMPARE(lock_.release(base, LeaseLock::token(base, word_of(lock_).sequence)),
                 LeaseLock::Release::released);
        while (entered < 5) std::this_thread::yield();
        const auto last = lock_.recall();
        recalled = true;
        for (auto& thread : threads) thread.join();
        QVERIFY(!wrong);
        QCOMPARE(inside.load(), last.held() ? 1 : 0);
        QCOMPARE(word_of(lock_).held(), last.held());
    }
}

QTEST_GUILESS_MAIN(DelegatedLock)
#include "tst_delegated_lock.moc"
