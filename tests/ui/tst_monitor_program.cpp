// SPDX-License-Identifier: MIT
// The monitor as a program: what it says where it cannot open a window, what it leaves when it is
// ended, and where its pictures go.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include <QDir>
#include <QFile>
#include <QProcess>
#include <QTemporaryDir>
#include <QtTest>

#include "service_fixture.h"

using namespace snakepit::shm::test;

namespace {

constexpr const char* kOld = "the old contents\n";

QByteArray contents(const QString& path) {
    QFile file(path);
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

void put(const QString& path) {
    QFile file(path);
    if (!file.open(QIODevice::WriteOnly) || file.write(kOld) < 0) qFatal("cannot write a file");
}

unsigned mode_of(const QString& path) {
    struct stat info {};
    (void)::lstat(path.toUtf8().constData(), &info);
    return info.st_mode;
}

// As it stands: QFile takes away what says that the file has no name any more.
QString read_link(const QString& path) {
    char out[4096];
    const auto size = ::readlink(path.toUtf8().constData(), out, sizeof out);
    return QString::fromUtf8(out, std::max<qsizetype>(size, 0));
}

}  // namespace

class MonitorProgram : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void init();

    void without_a_display_it_names_the_terminal_monitor_data();
    void without_a_display_it_names_the_terminal_monitor();
    void nothing_of_a_bundle_is_left_data();
    void nothing_of_a_bundle_is_left();
    void a_picture_goes_where_it_was_told();
    void a_picture_replaces_nothing_else_data();
    void a_picture_replaces_nothing_else();
    void a_picture_replaces_a_file_only_by_force();
    void a_picture_is_whole_or_not_there();

  private:
    QProcessEnvironment offscreen() const;
    Finished monitor(const QStringList& words) const;
    Finished picture(const QString& file, const QStringList& more = {}) const {
        return monitor(QStringList{"--bundle", bundle_, "--after", "0", "--screenshot", file} +
                       more);
    }
    QString path(const QString& name) const { return place_->filePath(name); }

    std::unique_ptr<Service> service_;
    std::unique_ptr<QTemporaryDir> place_;
    QString bundle_;
};

QProcessEnvironment MonitorProgram::offscreen() const {
    auto out = service_->host().environment(service_->instance());
    out.insert("QT_QPA_PLATFORM", "offscreen");
    return out;
}

Finished MonitorProgram::monitor(const QStringList& words) const {
    return Peer(QCoreApplication::applicationDirPath() + "/snakepit-shm-monitor", words,
                offscreen())
        .wait();
}

void MonitorProgram::initTestCase() {
    service_ = std::make_unique<Service>();
    // Else Qt makes a directory of its own beside what is unpacked.
    QVERIFY(QFile::setPermissions(service_->host().path("runtime"), QFile::Permissions(0x7700)));
    QVERIFY(service_->start());
    QCOMPARE(service_->cli({"allocate", "100KiB", "--count", "20"}).status, 0);
    bundle_ = service_->host().path("bundle");
    QCOMPARE(service_->cli({"diagnose", "-o", bundle_}).status, 0);
}

void MonitorProgram::init() {
    place_ = std::make_unique<QTemporaryDir>();
}

void MonitorProgram::without_a_display_it_names_the_terminal_monitor_data() {
    QTest::addColumn<QString>("variable");
    QTest::addColumn<QString>("value");
    QTest::newRow("none") << ""
                          << "";
    QTest::newRow("one that is not there") << "DISPLAY"
                                           << ":987";
    QTest::newRow("an unknown platform") << "QT_QPA_PLATFORM"
                                         << "nonsense";
    QTest::newRow("an unreachable platform") << "QT_QPA_PLATFORM"
                                             << "xcb";
}

void MonitorProgram::without_a_display_it_names_the_terminal_monitor() {
    QFETCH(QString, variable);
    QFETCH(QString, value);
    auto environment = service_->host().environment(service_->instance());
    for (const auto* name : {"DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"})
        environment.remove(name);
    if (!variable.isEmpty()) environment.insert(variable, value);
    for (const auto& words : QList<QStringList>{{"--attach"}, {"--bundle", bundle_}}) {
        const auto ended = Peer(QCoreApplication::applicationDirPath() + "/snakepit-shm-monitor",
                                words, environment)
                               .wait();
        QVERIFY2(ended.status == 1, qPrintable(QString::number(ended.status) + ended.err));
        QVERIFY2(ended.err.contains("snakepit-shm top"), qPrintable(ended.err));
        QVERIFY2(ended.err.trimmed().count('\n') == 0, qPrintable(ended.err));
    }
    const auto wrong = monitor({"--nonsense"});
    QCOMPARE(wrong.status, 2);
}

void MonitorProgram::nothing_of_a_bundle_is_left_data() {
    QTest::addColumn<int>("signal");
    QTest::newRow("SIGTERM") << SIGTERM;
    QTest::newRow("SIGINT") << SIGINT;
    QTest::newRow("SIGHUP") << SIGHUP;
    QTest::newRow("kill -9") << SIGKILL;
}

void MonitorProgram::nothing_of_a_bundle_is_left() {
    QFETCH(int, signal);
    auto environment = offscreen();
    environment.insert("TMPDIR", place_->path());
    Peer monitor(QCoreApplication::applicationDirPath() + "/snakepit-shm-monitor",
                 {"--bundle", bundle_}, environment);
    // Until it has unpacked it.
    const auto unpacked = [&] {
        if (!QDir(place_->path()).isEmpty()) return true;
        const QDir descriptors(QString("/proc/%1/fd").arg(monitor.pid()));
        for (const auto& name : descriptors.entryList(QDir::System | QDir::Files))
            if (read_link(descriptors.filePath(name)).startsWith(place_->path())) return true;
        return false;
    };
    QTRY_VERIFY_WITH_TIMEOUT(unpacked(), kPatienceMs);
    monitor.end(signal);
    QCOMPARE(QDir(place_->path())
                 .entryList(QDir::AllEntries | QDir::Hidden | QDir::System | QDir::NoDotAndDotDot),
             QStringList());
}

void MonitorProgram::a_picture_goes_where_it_was_told() {
    const auto made = picture(path("fresh.png"));
    QVERIFY2(made.status == 0, qPrintable(made.err));
    QVERIFY(contents(path("fresh.png")).startsWith("\x89PNG"));
    put(path("target.png"));
    QVERIFY(QFile::link("target.png", path("link.png")));
    QCOMPARE(picture(path("link.png"), {"--force"}).status, 0);
    QVERIFY(S_ISLNK(mode_of(path("link.png"))));
    QVERIFY(contents(path("target.png")).startsWith("\x89PNG"));
}

void MonitorProgram::a_picture_replaces_nothing_else_data() {
    QTest::addColumn<QString>("kind");
    for (const auto* kind : {"device", "FIFO", "directory"}) QTest::newRow(kind) << QString(kind);
}

void MonitorProgram::a_picture_replaces_nothing_else() {
    QFETCH(QString, kind);
    const auto name = path("there").toUtf8();
    if (kind == "device" && ::mknod(name.constData(), S_IFCHR | 0666, 0x103) != 0)
        QSKIP("only root makes devices");
    if (kind == "FIFO") QCOMPARE(::mkfifo(name.constData(), 0600), 0);
    if (kind == "directory") QCOMPARE(::mkdir(name.constData(), 0700), 0);
    const auto before = mode_of(path("there"));
    const int held = kind == "FIFO" ? ::open(name.constData(), O_RDWR | O_CLOEXEC) : -1;
    const auto refused = picture(path("there"), {"--force"});
    if (held >= 0) ::close(held);
    QCOMPARE(refused.status, 1);
    QVERIFY2(refused.err.contains("not a regular file"), qPrintable(refused.err));
    QCOMPARE(mode_of(path("there")), before);
}

void MonitorProgram::a_picture_replaces_a_file_only_by_force() {
    put(path("file.png"));
    const auto refused = picture(path("file.png"));
    QCOMPARE(refused.status, 1);
    QVERIFY2(refused.err.contains("--force"), qPrintable(refused.err));
    QCOMPARE(contents(path("file.png")), kOld);
    QCOMPARE(picture(path("file.png"), {"--force"}).status, 0);
    QVERIFY(contents(path("file.png")).startsWith("\x89PNG"));
}

void MonitorProgram::a_picture_is_whole_or_not_there() {
    put(path("file.png"));
    Peer monitor("/bin/bash",
                 {"-c", QString("ulimit -f 1; exec '%1' --bundle '%2' --after 0 --force "
                                "--screenshot '%3'")
                            .arg(QCoreApplication::applicationDirPath() + "/snakepit-shm-monitor",
                                 bundle_, path("file.png"))},
                 offscreen());
    const auto refused = monitor.wait();
    QVERIFY2(refused.status == 1, qPrintable(QString::number(refused.status) + refused.err));
    QCOMPARE(contents(path("file.png")), kOld);
}

QTEST_GUILESS_MAIN(MonitorProgram)
#include "tst_monitor_program.moc"
