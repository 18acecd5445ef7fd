// SPDX-License-Identifier: MIT
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <QtTest>

#include "platform/process_lock.h"

using namespace snakepit::shm;

namespace {

constexpr int kPatienceMs = 30'000;
constexpr std::size_t kMemory = std::size_t{256} << 20;

// A child that holds the lock and memory that takes the kernel a while to free.
class Holder {
  public:
    explicit Holder(const std::string& path) {
        int ready[2];
        if (::pipe(ready) != 0) qFatal("no pipe");
        pid_ = ::fork();
        if (pid_ == 0) hold(path, ready[1]);
        ::close(ready[1]);
        char byte = 0;
        holds_ = ::read(ready[0], &byte, 1) == 1;
        ::close(ready[0]);
    }
    ~Holder() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    bool holds() const { return holds_; }
    void kill() const { ::kill(pid_, SIGKILL); }
    pid_t pid() const { return pid_; }

  private:
    [[noreturn]] static void hold(const std::string& path, int ready) {
        const auto lock = ExclusiveLock::acquire(path, 0);
        ::mmap(nullptr, kMemory, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
               -1, 0);
        if (lock && ::write(ready, "x", 1) == 1)
            for (;;) ::pause();
        ::_exit(1);
    }
    pid_t pid_ = 0;
    bool holds_ = false;
};

}  // namespace

class ProcessLockTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void the_holder_is_named() {
        const Holder holder(path());
        QVERIFY(holder.holds());
        const auto refused = ExclusiveLock::acquire(path(), 0);
        QVERIFY(!refused);
        QCOMPARE(refused.error().code, ErrorCode::instance_in_use);
        QVERIFY(refused.error().message.find(std::to_string(holder.pid())) != std::string::npos);
    }
    // It has the lock until its memory is freed, and is not a reason to give up.
    void a_holder_that_was_just_killed_is_waited_for() {
        for (int i = 0; i < 5; ++i) {
            const Holder holder(path());
            QVERIFY(holder.holds());
            holder.kill();
            const auto acquired = ExclusiveLock::acquire(path(), kPatienceMs);
            QVERIFY2(acquired.has_value(), acquired ? "" : acquired.error().sentence().c_str());
        }
    }

  private:
    std::string path() const { return directory_.filePath("lock").toStdString(); }
    QTemporaryDir directory_;
};

QTEST_GUILESS_MAIN(ProcessLockTest)
#include "tst_process_lock.moc"
