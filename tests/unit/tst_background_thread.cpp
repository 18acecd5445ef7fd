// SPDX-License-Identifier: MIT
#include <QtTest>

#include <atomic>
#include <future>
#include <vector>

#include "platform/background_thread.h"

using namespace std::chrono_literals;
using snakepit::shm::BackgroundThread;

class TestBackgroundThread : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void work_is_done_in_the_order_it_was_posted_on_another_thread();
    void finish_does_what_was_posted_and_nothing_later();
    void regular_work_is_done_at_once_and_between_what_is_posted();
    void drain_gives_up_after_its_timeout();
};

void TestBackgroundThread::work_is_done_in_the_order_it_was_posted_on_another_thread() {
    std::vector<int> done;
    bool elsewhere = true;
    BackgroundThread thread("test");
    for (int i = 0; i < 100; ++i)
        thread.post([&, i, here = std::this_thread::get_id()] {
            done.push_back(i);
            elsewhere = elsewhere && std::this_thread::get_id() != here;
        });
    QVERIFY(thread.drain(10s));
    QCOMPARE(done.size(), std::size_t{100});
    for (int i = 0; i < 100; ++i) QCOMPARE(done[static_cast<std::size_t>(i)], i);
    QVERIFY(elsewhere);
}

void TestBackgroundThread::finish_does_what_was_posted_and_nothing_later() {
    std::atomic<int> done{0};
    BackgroundThread thread("test");
    for (int i = 0; i < 10; ++i) thread.post([&] { ++done; });
    thread.finish();
    thread.post([&] { ++done; });
    thread.finish();
    QCOMPARE(done.load(), 10);
}

void TestBackgroundThread::regular_work_is_done_at_once_and_between_what_is_posted() {
    std::atomic<int> regular{0}, posted{0};
    std::promise<void> third;
    BackgroundThread thread("test", 1ms, [&] {
        if (++regular == 3) third.set_value();
    });
    thread.post([&] { ++posted; });
    QVERIFY(third.get_future().wait_for(10s) == std::future_status::ready);
    QVERIFY(thread.drain(10s));
    QCOMPARE(posted.load(), 1);
}

void TestBackgroundThread::drain_gives_up_after_its_timeout() {
    std::promise<void> release;
    BackgroundThread thread("test");
    thread.post([&] { release.get_future().wait(); });
    QVERIFY(!thread.drain(1ms));
    release.set_value();
    QVERIFY(thread.drain(10s));
}

QTEST_APPLESS_MAIN(TestBackgroundThread)
#include "tst_background_thread.moc"
