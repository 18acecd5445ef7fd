// SPDX-License-Identifier: MIT
#include "host_ground.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <QDir>
#include <QFile>

#include <array>
#include <csignal>

namespace snakepit::shm::test {

namespace {

const char* const kPython = "/usr/bin/python3";

QByteArray contents(const QString& path) {
    QFile file(path);
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

// What the process began with; its first thread may have ended and show nothing.
bool began_with(const QString& pid, const QByteArray& mark) {
    for (const auto& thread : QDir("/proc/" + pid + "/task").entryList(QDir::Dirs)) {
        const auto text = contents("/proc/" + pid + "/task/" + thread + "/environ");
        if (!text.isEmpty()) return ('\0' + text).contains(mark);
    }
    return false;
}

bool write(const QString& path, const QByteArray& text) {
    QFile file(path);
    return file.open(QIODevice::WriteOnly | QIODevice::Truncate) && file.write(text) == text.size();
}

}  // namespace

bool enter_own_ground() {
    constexpr auto* kNothing = "none";
    return ::geteuid() == 0 && ::unshare(CLONE_NEWNS | CLONE_NEWIPC) == 0 &&
           ::mount(kNothing, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           ::mount(kNothing, "/dev/shm", "tmpfs", 0, "mode=1777") == 0;
}

Actor::Actor(const QString& script, int user, const QStringList& through) {
    static int count = 0;
    mark_ = QString("HOST_ACTOR=%1-%2").arg(::getpid()).arg(++count);
    auto environment = QProcessEnvironment::systemEnvironment();
    environment.insert("HOST_ACTOR", mark_.section('=', 1));
    environment.insert("HOST_USER", QString::number(user));
    if (::chmod(qPrintable(directory_.path()), 01777) != 0) qFatal("cannot open a directory");
    environment.insert("TMPDIR", directory_.path());
    environment.insert("PYTHONPATH", SNAKEPIT_PROGRAMS);
    environment.insert("PYTHONDONTWRITEBYTECODE", "1");
    auto words = through;
    words << kPython << "-c"
          << "from host_actor import *\n" + script;
    const auto program = words.takeFirst();
    program_ = std::make_unique<Peer>(program, words, environment);
}

bool Actor::ready() {
    for (auto line = program_->line(); !line.isNull(); line = program_->line()) {
        if (line == "ready") return failure_.isEmpty();
        if (line.startsWith("segment "))
            segments_ += line.section(' ', 1);
        else if (line.startsWith("failed "))
            failure_ = line;
    }
    if (failure_.isEmpty()) failure_ = program_->wait().err;
    return false;
}

// Whatever they have become and wherever they are: what they began with stays readable.
bool Actor::any_left(int signal) const {
    bool any = false;
    const auto mark = '\0' + mark_.toLatin1() + '\0';
    for (const auto& name : QDir("/proc").entryList(QDir::Dirs)) {
        const auto pid = name.toInt();
        if (pid <= 0 || !began_with(name, mark)) continue;
        any = true;
        ::kill(pid, signal);
    }
    return any;
}

void Actor::end() {
    if (!program_) return;
    any_left(SIGSTOP);
    any_left(SIGSTOP);  // those that were made meanwhile
    while (any_left(SIGKILL)) ::usleep(2000);
    program_.reset();
}

Looker::Looker() {
    ::chmod(qPrintable(directory_.path()), 0711);
}

Finished Looker::run(const QStringList& words, Later later, int user, const QString& proc_options,
                     const QString& through) const {
    const std::array<qint64, 2> clocks{(later.passed + later.stepped) * 1'000'000,
                                       later.passed * 1'000'000};
    const auto uptime = contents("/proc/uptime").split(' ').front().toDouble();
    const auto shim = directory_.filePath("clocks"), fake = directory_.filePath("uptime");
    if (!write(shim, QByteArray(reinterpret_cast<const char*>(clocks.data()), sizeof clocks)) ||
        !write(fake, QByteArray::number(uptime + static_cast<double>(later.passed), 'f', 2) + " 0"))
        qFatal("cannot write the clocks");
    QString setting = proc_options.isEmpty()
                          ? QString()
                          : QString("mount -t proc -o %1 proc /proc; ").arg(proc_options);
    if (later.passed != 0) setting += QString("mount --bind %1 /proc/uptime; ").arg(fake);
    QStringList all{"-m", "sh", "-c", setting + "exec \"$@\"", "sh"};
    if (user != 0)
        all << "setpriv" << QString("--reuid=%1").arg(user) << QString("--regid=%1").arg(user)
            << "--clear-groups";
    all << through.split(' ', Qt::SkipEmptyParts);
    auto environment = service_.host().environment("test");
    environment.insert(more_);
    if (later.passed != 0 || later.stepped != 0)
        all << "env" << QStringLiteral("LD_PRELOAD=") + SNAKEPIT_CLOCK_SHIM << "CLOCK_SHIM=" + shim;
    all << QStringLiteral(SNAKEPIT_BIN_DIR) + "/snakepit-shm" << words;
    Peer look("unshare", all, environment);
    return look.wait();
}

}  // namespace snakepit::shm::test
