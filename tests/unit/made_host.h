// SPDX-License-Identifier: MIT
// A host as /proc and a directory of segments show it, made up.
#pragma once

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <QDir>
#include <QFile>
#include <QTemporaryDir>

#include <fmt/format.h>

#include "survey/host_survey.h"

namespace snakepit::shm::test {

class MadeHost {
  public:
    static constexpr int kUptime = 100'000;  // seconds

    MadeHost() {
        write("proc/uptime", QString("%1.00 0.00\n").arg(kUptime));
        system_v({});
        QDir(path({})).mkpath("shm");
        show_us();
        process(1, "init", kUptime);
    }

    // `age`: seconds since it started.
    void process(int pid, const QString& name, int age, const QString& maps = {}) {
        const auto home = QString("proc/%1/").arg(pid);
        const auto ticks = static_cast<qint64>(kUptime - age) * ::sysconf(_SC_CLK_TCK);
        write(home + "stat", QString("%1 (%2) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 %3 0\n")
                                 .arg(pid)
                                 .arg(name)
                                 .arg(ticks));
        write(home + "comm", name + "\n");
        write(home + "maps", "00400000-00401000 r-xp 00000000 fe:00 332383   /bin/x\n" + maps);
        write(home + "status", status(::geteuid()));
        QDir(path(home)).mkpath("fd");
    }
    static QString status(unsigned uid, const QString& privileges = "0000000000000000") {
        return QString(
                   "Name:\tx\nUid:\t%1\t%1\t%1\t%1\nGid:\t%1\t%1\t%1\t%1\nGroups:\t\n"
                   "CapPrm:\t%2\nCapEff:\t%2\n")
            .arg(uid)
            .arg(privileges);
    }
    void opens(int pid, int number, const QString& file) {
        QFile::link(file, path(QString("proc/%1/fd/%2").arg(pid).arg(number)));
    }

    QString segment(const QString& name, int size = 4096) {
        write("shm/" + name, QString(size, 'x'));
        return path("shm/" + name);
    }
    // A line of maps for it.
    static QString mapping(const QString& file, const QString& shown = {}) {
        struct stat info {};
        ::stat(qPrintable(file), &info);
        return QString::fromStdString(fmt::format(
            "7f0000000000-7f0000001000 rw-s 00000000 {:02x}:{:02x} {}     {}\n", major(info.st_dev),
            minor(info.st_dev), info.st_ino, (shown.isEmpty() ? file : shown).toStdString()));
    }

    // key id mode size cpid lpid nattch uid; times: seconds ago, of attach, detach and change.
    static QString row(int key, int id, int creator, int last, int attached, int age) {
        const auto then = static_cast<qint64>(now().micros / 1'000'000 - age);
        return QString::fromStdString(fmt::format(
            "{:10d} {:10d}  {:4o} {:21d} {:5d} {:5d}  {:5d} {:5d} {:5d} {:5d} {:5d} {:10d} {:10d} "
            "{:10d} {:21d} {:21d}\n",
            key, id, 0600, 8192, creator, last, attached, ::geteuid(), 0, ::geteuid(), 0, then,
            then, then, 4096, 0));
    }
    void system_v(const QStringList& rows) {
        write("proc/sysvipc/shm",
              "       key      shmid perms                  size  cpid\n" + rows.join(QString()));
    }

    SurveyOptions options() const {
        return {path("shm").toStdString(), path("proc").toStdString()};
    }
    QString path(const QString& name) const { return directory_.filePath(name); }

    void write(const QString& name, const QString& content) const {
        QDir(directory_.path()).mkpath(QFileInfo(name).path());
        QFile file(path(name));
        if (!file.open(QIODevice::WriteOnly | QIODevice::Truncate)) qFatal("cannot write a file");
        file.write(content.toUtf8());
    }

  private:
    // As seen from the outermost namespaces.
    void show_us() {
        struct stat info {};
        QDir(path({})).mkpath("proc/self/ns");
        ::stat(qPrintable(path("proc")), &info);
        QFile::link("pid:[4026531836]", path("proc/self/ns/pid"));
        QFile::link("user:[4026531837]", path("proc/self/ns/user"));
        write("proc/self/uid_map", "0 0 4294967295\n");
        write("proc/self/mountinfo", QString("23 28 %1:%2 / /proc rw - proc proc rw\n")
                                         .arg(major(info.st_dev))
                                         .arg(minor(info.st_dev)));
    }

    QTemporaryDir directory_;
};

}  // namespace snakepit::shm::test
