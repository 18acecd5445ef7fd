// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QPointer>
#include <QThread>
#include <functional>
#include <memory>
#include <utility>

namespace snakepit::shm::ui {

// One worker thread that runs jobs in order and hands each result back to the GUI thread.
class Background {
  public:
    explicit Background(const QString& name);
    ~Background();  // waits for the running job; those not begun and results not delivered are
                    // dropped
    Background(const Background&) = delete;
    Background& operator=(const Background&) = delete;

    // GUI thread. `job()` runs on the worker, `done(result)` in the GUI thread, unless `context` is
    // gone by then.
    template <typename Job, typename Done>
    void run(QObject* context, Job job, Done done) {
        post([this, guard = QPointer<QObject>(context), job = std::move(job),
              done = std::move(done)]() mutable {
            auto result = std::make_shared<decltype(job())>(job());
            QMetaObject::invokeMethod(
                &receiver_,
                [guard = std::move(guard), done = std::move(done), result]() mutable {
                    if (guard) done(std::move(*result));
                },
                Qt::QueuedConnection);
        });
    }

  private:
    template <typename Work>
    void post(Work work) {
        QMetaObject::invokeMethod(worker_, std::move(work), Qt::QueuedConnection);
    }

    QObject receiver_;  // lives in the GUI thread
    QThread thread_;
    QObject* worker_;  // lives in thread_
};

// Tells the newest answer from those that came too late.
class Latest {
  public:
    std::uint64_t next() { return ++current_; }
    bool is(std::uint64_t token) const { return token == current_; }

  private:
    std::uint64_t current_ = 0;
};

}  // namespace snakepit::shm::ui
