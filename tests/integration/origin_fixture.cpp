// SPDX-License-Identifier: MIT
#include "origin_fixture.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <QDir>
#include <QElapsedTimer>
#include <QThread>

#include <csignal>
#include <cstdlib>

#include "platform/process_lock.h"
#include "survey/linux/file_events.h"

namespace snakepit::shm::test {

namespace {

constexpr int kPatience = 60'000;  // milliseconds
constexpr int kEnded = 7;

}  // namespace

OriginLogProgram::OriginLogProgram(QStringList words, QStringList through)
    : words_(std::move(words)), through_(std::move(through)), place_(own_.path()) {}

bool OriginLogProgram::start(const QProcessEnvironment& more) {
    end(SIGKILL);
    auto environment = QProcessEnvironment::systemEnvironment();
    environment.insert(more);
    environment.insert("SNAKEPIT_SHM_ORIGINS_DIR", place_);
    if (!environment.contains("SNAKEPIT_SHM_CONFIG"))
        environment.insert("SNAKEPIT_SHM_CONFIG", "/dev/null");
    process_ = std::make_unique<QProcess>();
    process_->setProcessEnvironment(environment);
    auto words = through_;
    words << QStringLiteral(SNAKEPIT_BIN_DIR) + "/snakepit-shm-origins" << words_;
    const auto program = words.takeFirst();
    process_->start(program, words);
    if (!process_->waitForStarted(kPatience)) return false;
    // It answers only when it has begun.
    const auto lock = (place_ + "/origins.lock").toStdString();
    return becomes_true([&] {
               if (process_->waitForFinished(0)) return true;
               const auto reader = liveness_lock_held(lock).value_or(false)
                                       ? origins::OriginReader::open(database())
                                       : nullptr;
               const auto place = words_.contains("--shm-path")
                                      ? words_[words_.indexOf("--shm-path") + 1]
                                      : QString("/dev/shm");
               const Handle directory(
                   ::open(qPrintable(place), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
               return reader && reader->catch_up(directory.get());
           }) &&
           process_->state() == QProcess::Running;
}

int OriginLogProgram::end(int signal) {
    if (!process_) return 0;
    if (process_->state() == QProcess::Running)
        ::kill(static_cast<pid_t>(process_->processId()), signal);
    if (process_->state() == QProcess::Running) (void)process_->waitForFinished(kPatience);
    const int status = process_->exitStatus() == QProcess::NormalExit ? process_->exitCode()
                                                                      : -process_->exitCode();
    process_.reset();
    return status;
}

QString OriginLogProgram::said() {
    if (!process_) return {};
    (void)process_->waitForFinished(0);  // reads what it wrote
    return QString::fromUtf8(process_->readAllStandardError());
}

std::optional<survey::Origin> OriginLogProgram::find(const survey::SegmentIdentity& segment,
                                                     const QString& directory) const {
    const auto reader = origins::OriginReader::open(database());
    const Handle place(::open(qPrintable(directory), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!reader || !place) return std::nullopt;
    (void)reader->catch_up(place.get());
    return reader->find(segment);
}

std::optional<survey::Origin> OriginLogProgram::origin_of(const QString& path) const {
    const Handle file(::open(qPrintable(path), O_PATH | O_CLOEXEC));
    if (!file) return std::nullopt;
    return find({SegmentKind::posix, survey::file_system_of(file.get()),
                 survey::file_handle_of(file.get())},
                path.section('/', 0, -2));
}

Maker::Maker(const std::function<void()>& work) {
    std::array<int, 2> done{}, end{};
    if (::pipe2(done.data(), O_CLOEXEC) != 0 || ::pipe2(end.data(), O_CLOEXEC) != 0)
        qFatal("cannot make a pipe");
    pid_ = ::fork();
    if (pid_ == 0) {
        ::close(end[1]);
        work();
        (void)!::write(done[1], "x", 1);
        char letter = 0;
        (void)!::read(end[0], &letter, 1);
        ::_exit(kEnded);
    }
    ::close(done[1]);
    ::close(end[0]);
    tells_ = end[1];
    char letter = 0;
    (void)!::read(done[0], &letter, 1);
    ::close(done[0]);
}

void Maker::end(int signal) {
    if (pid_ <= 0) return;
    if (signal != 0) ::kill(static_cast<pid_t>(pid_), signal);
    ::close(tells_);
    (void)::waitpid(static_cast<pid_t>(pid_), nullptr, 0);
    pid_ = 0;
}

bool becomes_true(const std::function<bool()>& question) {
    QElapsedTimer time;
    time.start();
    while (time.elapsed() < kPatience) {
        if (question()) return true;
        QThread::msleep(20);
    }
    return false;
}

bool enter_own_mounts() {
    return ::geteuid() == 0 && ::unshare(CLONE_NEWNS | CLONE_NEWIPC) == 0 &&
           ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

bool mount_memory(const QString& directory, const char* options) {
    return QDir().mkpath(directory) &&
           ::mount("none", qPrintable(directory), "tmpfs", 0, options) == 0;
}

}  // namespace snakepit::shm::test
