// SPDX-License-Identifier: MIT
// Outputs go where the user said, or nowhere: what is not a regular file stays what it is, a link
// stays a link, and what was there is whole whatever happens.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <thread>

#include <QDir>
#include <QElapsedTimer>
#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QtTest>

#include "service_fixture.h"

using namespace snakepit::shm::test;

namespace {

constexpr const char* kOld = "the old contents\n";

QByteArray contents(const QString& path) {
    QFile file(path);
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

void put(const QString& path, const QByteArray& bytes = kOld) {
    QFile file(path);
    if (!file.open(QIODevice::WriteOnly) || file.write(bytes) != bytes.size())
        qFatal("cannot write %s", qPrintable(path));
}

struct stat facts(const QString& path, bool follow = false) {
    struct stat out {};
    const auto name = path.toUtf8();
    (void)(follow ? ::stat(name.constData(), &out) : ::lstat(name.constData(), &out));
    return out;
}

bool is_link(const QString& path) {
    return S_ISLNK(facts(path).st_mode);
}

bool make_socket(const QString& path) {
    const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const auto name = path.toUtf8();
    std::strncpy(address.sun_path, name.constData(), sizeof address.sun_path - 1);
    const bool bound =
        ::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(socket);
    return bound;
}

// What a path may lead to that is not a regular file.
bool make_thing(const QString& kind, const QString& path) {
    const auto name = path.toUtf8();
    if (kind == "device") return ::mknod(name.constData(), S_IFCHR | 0666, 0x103) == 0;
    if (kind == "FIFO") return ::mkfifo(name.constData(), 0600) == 0;
    if (kind == "socket") return make_socket(path);
    if (kind == "directory") return ::mkdir(name.constData(), 0700) == 0;
    const auto target = (path + "-target").toUtf8();
    return ::mknod(target.constData(), S_IFCHR | 0666, 0x103) == 0 &&
           ::symlink(target.constData(), name.constData()) == 0;
}

}  // namespace

class Outputs : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void init();
    void cleanup();

    void what_is_not_a_regular_file_stays_data();
    void what_is_not_a_regular_file_stays();
    void a_descriptor_is_no_place_data();
    void a_descriptor_is_no_place();
    void a_link_stays_and_its_target_is_written_data();
    void a_link_stays_and_its_target_is_written();
    void a_link_to_nothing_makes_its_target();
    void links_that_lead_nowhere_are_an_error();
    void a_strangers_link_in_a_shared_directory_is_not_followed();
    void a_strangers_file_in_a_shared_directory_is_not_used();
    void an_existing_file_needs_force_data();
    void an_existing_file_needs_force();
    void mode_and_owner_stay();
    void another_name_of_the_file_keeps_the_old_contents();
    void a_dash_is_standard_output_data();
    void a_dash_is_standard_output();
    void a_dash_and_json_are_one_document();
    void a_full_disk_leaves_the_old_file_data();
    void a_full_disk_leaves_the_old_file();
    void a_limit_of_file_sizes_leaves_the_old_file_data();
    void a_limit_of_file_sizes_leaves_the_old_file();
    void a_killed_command_leaves_the_old_file_and_nothing_else();
    void a_read_only_directory_leaves_the_old_file();

    void config_set_replaces_no_device_data();
    void config_set_replaces_no_device();
    void config_set_keeps_a_link_to_nothing();
    void the_metrics_file_replaces_no_device_data();
    void the_metrics_file_replaces_no_device();
    void the_metrics_file_follows_a_link();

    void a_full_standard_output_is_an_error_data();
    void a_full_standard_output_is_an_error();
    void a_reader_that_went_away_is_no_error_data();
    void a_reader_that_went_away_is_no_error();
    void without_standard_output_no_file_gets_the_text();

  private:
    QString path(const QString& name) const { return place_ + "/" + name; }
    // Every command that has -o, with what it needs before it.
    void add_commands(const QStringList& more = {}) const;
    Finished to(const QStringList& words, const QString& file, bool force = true) const;
    Finished shell(const QString& script) const;

    std::unique_ptr<Service> service_;
    QString id_, big_, place_;
};

void Outputs::initTestCase() {
    service_ = std::make_unique<Service>();
    QVERIFY(service_->start());
    id_ = service_->cli_json({"allocate", "4096"})["id"].toString();
    big_ = service_->cli_json({"allocate", "64MiB"})["id"].toString();
    QVERIFY(!id_.isEmpty() && !big_.isEmpty());
}

void Outputs::init() {
    place_ = service_->host().path("place");
    QVERIFY(QDir().mkpath(place_));
}

void Outputs::cleanup() {
    QVERIFY(QDir(place_).removeRecursively());
}

Finished Outputs::to(const QStringList& words, const QString& file, bool force) const {
    auto all = words + QStringList{"-o", file};
    if (force) all << "--force";
    return service_->cli(all);
}

Finished Outputs::shell(const QString& script) const {
    Peer peer(
        "/bin/bash",
        {"-c", QString("cli='%1'; cd '%2'; %3")
                   .arg(QCoreApplication::applicationDirPath() + "/snakepit-shm", place_, script)},
        service_->host().environment(service_->instance()));
    return peer.wait();
}

void Outputs::add_commands(const QStringList& more) const {
    QTest::addColumn<QStringList>("words");
    QTest::addColumn<QString>("kind");
    const QList<QStringList> commands{{"audit", "export", "--format", "csv"},
                                      {"diagnose"},
                                      {"dump", id_, "--raw"},
                                      {"dump", id_, "--json"}};
    for (const auto& words : commands)
        for (const auto& kind : more.isEmpty() ? QStringList{{}} : more)
            QTest::newRow(qPrintable(words.first() + words.last() + ' ' + kind)) << words << kind;
}

void Outputs::what_is_not_a_regular_file_stays_data() {
    add_commands({"device", "FIFO", "socket", "directory", "link to a device"});
}

void Outputs::what_is_not_a_regular_file_stays() {
    QFETCH(QStringList, words);
    QFETCH(QString, kind);
    if (::geteuid() != 0 && kind.contains("device")) QSKIP("only root makes devices");
    const auto file = path("there");
    QVERIFY(make_thing(kind, file));
    const auto before = facts(file);
    for (const bool force : {false, true}) {
        const auto refused = to(words, file, force);
        QVERIFY2(refused.status == 1, qPrintable(refused.out + refused.err));
        QVERIFY2(refused.err.contains("not a regular file"), qPrintable(refused.err));
        const auto after = facts(file);
        QCOMPARE(after.st_ino, before.st_ino);
        QCOMPARE(after.st_mode, before.st_mode);
        QCOMPARE(after.st_rdev, before.st_rdev);
    }
}

void Outputs::a_descriptor_is_no_place_data() {
    add_commands({"stdout", "fd/1", "/proc/self/fd/1"});  // links as /dev has them
}

// Where standard output is a file, that file would be exchanged under whoever holds it open.
void Outputs::a_descriptor_is_no_place() {
    QFETCH(QStringList, words);
    QFETCH(QString, kind);
    QVERIFY(QFile::link("/proc/self/fd/1", path("stdout")));
    QVERIFY(QFile::link("/proc/self/fd", path("fd")));
    put(path("held"));
    const auto before = facts(path("held"));
    const auto refused =
        shell(QString("\"$cli\" %1 -o %2 --force >> held").arg(words.join(' '), kind));
    QVERIFY2(refused.status == 1, qPrintable(refused.out + refused.err));
    QVERIFY2(refused.err.contains("-o -"), qPrintable(refused.err));
    QCOMPARE(contents(path("held")), kOld);
    QCOMPARE(facts(path("held")).st_ino, before.st_ino);
}

void Outputs::a_link_stays_and_its_target_is_written_data() {
    add_commands();
}

void Outputs::a_link_stays_and_its_target_is_written() {
    QFETCH(QStringList, words);
    QVERIFY(QDir().mkpath(path("away")));
    put(path("away/target"));
    QVERIFY(QFile::link("away/second", path("first")));
    QVERIFY(QFile::link("target", path("away/second")));
    const auto written = to(words, path("first"));
    QVERIFY2(written.status == 0, qPrintable(written.err));
    QVERIFY(is_link(path("first")) && is_link(path("away/second")));
    QVERIFY(S_ISREG(facts(path("away/target")).st_mode));
    QVERIFY(contents(path("away/target")) != kOld);
    QCOMPARE(QDir(path("away")).entryList(QDir::Files | QDir::Hidden | QDir::System).size(), 2);
}

void Outputs::a_link_to_nothing_makes_its_target() {
    QVERIFY(QFile::link("target", path("link")));
    const auto written = to({"audit", "export"}, path("link"), false);
    QVERIFY2(written.status == 0, qPrintable(written.err));
    QVERIFY(is_link(path("link")));
    QVERIFY(S_ISREG(facts(path("target")).st_mode));
}

void Outputs::links_that_lead_nowhere_are_an_error() {
    QVERIFY(QFile::link("b", path("a")));
    QVERIFY(QFile::link("a", path("b")));
    QVERIFY(QFile::link("no/such/place", path("c")));
    for (const auto* link : {"a", "c"}) {
        const auto refused = to({"dump", id_}, path(link));
        QVERIFY2(refused.status == 1, qPrintable(refused.err));
        QVERIFY(is_link(path(link)));
    }
}

void Outputs::a_strangers_link_in_a_shared_directory_is_not_followed() {
    if (::geteuid() != 0) QSKIP("needs root to be somebody else");
    QVERIFY(QDir().mkpath(path("shared")));
    put(path("mine"));
    const auto link = path("shared/link").toUtf8();
    QCOMPARE(::symlink(path("mine").toUtf8().constData(), link.constData()), 0);
    QCOMPARE(::lchown(link.constData(), 1234, 1234), 0);
    QCOMPARE(::chmod(path("shared").toUtf8().constData(), 01777), 0);
    for (const auto& words : QList<QStringList>{{"audit", "export"}, {"diagnose"}, {"dump", id_}}) {
        const auto refused = to(words, path("shared/link"));
        QVERIFY2(refused.status != 0, qPrintable(refused.out));
        QCOMPARE(contents(path("mine")), kOld);
        QVERIFY(is_link(path("shared/link")));
    }
}

void Outputs::a_strangers_file_in_a_shared_directory_is_not_used() {
    if (::geteuid() != 0) QSKIP("needs root to be somebody else");
    QVERIFY(QDir().mkpath(path("shared")));
    put(path("shared/report"));
    QCOMPARE(::chown(path("shared/report").toUtf8().constData(), 1234, 1234), 0);
    QCOMPARE(::chmod(path("shared").toUtf8().constData(), 01777), 0);
    const auto refused = to({"dump", id_}, path("shared/report"));
    QVERIFY2(refused.status != 0, qPrintable(refused.out));
    QCOMPARE(contents(path("shared/report")), kOld);
    QCOMPARE(facts(path("shared/report")).st_uid, 1234U);
}

void Outputs::an_existing_file_needs_force_data() {
    add_commands();
}

void Outputs::an_existing_file_needs_force() {
    QFETCH(QStringList, words);
    put(path("file"));
    const auto refused = to(words, path("file"), false);
    QCOMPARE(refused.status, 1);
    QVERIFY2(refused.err.contains("--force"), qPrintable(refused.err));
    QCOMPARE(contents(path("file")), kOld);
    const auto written = to(words, path("file"));
    QVERIFY2(written.status == 0, qPrintable(written.err));
    QVERIFY(contents(path("file")) != kOld);
    QCOMPARE(QDir(place_).entryList(QDir::Files | QDir::Hidden | QDir::System),
             QStringList{"file"});
}

void Outputs::mode_and_owner_stay() {
    put(path("file"));
    const auto name = path("file").toUtf8();
    if (::geteuid() == 0) QCOMPARE(::chown(name.constData(), 1234, 1235), 0);
    QCOMPARE(::chmod(name.constData(), 0640), 0);
    const auto before = facts(path("file"));
    for (const auto& words : QList<QStringList>{{"audit", "export"}, {"diagnose"}, {"dump", id_}}) {
        const auto written = to(words, path("file"));
        QVERIFY2(written.status == 0, qPrintable(written.err));
        const auto after = facts(path("file"));
        QCOMPARE(after.st_mode, before.st_mode);
        QCOMPARE(after.st_uid, before.st_uid);
        QCOMPARE(after.st_gid, before.st_gid);
    }
    QVERIFY(shell("umask 027; \"$cli\" audit export -o fresh").status == 0);
    QCOMPARE(facts(path("fresh")).st_mode & 0777U, 0640U);
}

void Outputs::another_name_of_the_file_keeps_the_old_contents() {
    put(path("file"));
    QCOMPARE(::link(path("file").toUtf8().constData(), path("other").toUtf8().constData()), 0);
    QCOMPARE(to({"dump", id_}, path("file")).status, 0);
    QVERIFY(contents(path("file")) != kOld);
    QCOMPARE(contents(path("other")), kOld);
}

void Outputs::a_dash_is_standard_output_data() {
    QTest::addColumn<QString>("words");
    QTest::addColumn<QByteArray>("begins");
    QTest::newRow("csv") << "audit export --format csv" << QByteArray("#");
    QTest::newRow("html") << "audit export --format html" << QByteArray("<!");
    QTest::newRow("bundle") << "diagnose" << QByteArray("SQLite format 3");
    QTest::newRow("dump") << "dump " + id_ << QByteArray("region");
}

void Outputs::a_dash_is_standard_output() {
    QFETCH(QString, words);
    QFETCH(QByteArray, begins);
    const auto written = shell(QString("\"$cli\" %1 -o - > out 2> said").arg(words));
    QVERIFY2(written.status == 0, contents(path("said")).constData());
    QVERIFY2(contents(path("out")).startsWith(begins), contents(path("out")).left(40).constData());
    QVERIFY(!QFile::exists(path("-")));
    QCOMPARE(shell(QString("\"$cli\" %1 -o - > /dev/full").arg(words)).status, 1);
    if (!words.startsWith("audit")) return;
    const auto verified = service_->cli({"audit", "verify", path("out")});
    QVERIFY2(verified.status == 0, qPrintable(verified.out));
}

void Outputs::a_dash_and_json_are_one_document() {
    for (const auto& words : {QString("audit export --format json"), "dump " + id_}) {
        const auto written = shell(QString("\"$cli\" %1 --json -o -").arg(words));
        QCOMPARE(written.status, 0);
        QJsonParseError problem;
        (void)QJsonDocument::fromJson(written.out.toUtf8(), &problem);
        QVERIFY2(problem.error == QJsonParseError::NoError, qPrintable(problem.errorString()));
        QCOMPARE(written.err, QString());
    }
    const auto bundle = shell("\"$cli\" diagnose --json -o - > out");
    QCOMPARE(bundle.status, 0);
    QCOMPARE(bundle.err, QString());
    QVERIFY(contents(path("out")).startsWith("SQLite format 3"));
}

void Outputs::a_full_disk_leaves_the_old_file_data() {
    add_commands();
}

void Outputs::a_full_disk_leaves_the_old_file() {
    QFETCH(QStringList, words);
    const auto small = path("small");
    QVERIFY(QDir().mkpath(small));
    if (::mount("none", small.toUtf8().constData(), "tmpfs", 0, "size=16k") != 0)
        QSKIP("may not mount a small file system");
    const auto unmount = qScopeGuard([&] { ::umount2(small.toUtf8().constData(), MNT_DETACH); });
    put(small + "/file");
    put(small + "/filler", QByteArray(8192, 'f'));
    auto order = words;
    if (order.first() == "dump") order[1] = big_;
    const auto refused = to(order, small + "/file");
    QVERIFY2(refused.status == 1, qPrintable(refused.out + refused.err));
    QVERIFY2(!refused.err.contains("cleanup"), qPrintable(refused.err));  // no region is there
    QCOMPARE(contents(small + "/file"), kOld);
    const auto fresh = to(order, small + "/fresh", false);
    QCOMPARE(fresh.status, 1);
    QCOMPARE(QDir(small).entryList(QDir::Files | QDir::Hidden | QDir::System),
             (QStringList{"file", "filler"}));
}

void Outputs::a_limit_of_file_sizes_leaves_the_old_file_data() {
    add_commands();
}

void Outputs::a_limit_of_file_sizes_leaves_the_old_file() {
    QFETCH(QStringList, words);
    put(path("file"));
    auto order = words;
    if (order.first() == "dump") order[1] = big_;
    const auto refused =
        shell(QString("ulimit -f 4; exec \"$cli\" %1 -o file --force").arg(order.join(' ')));
    QVERIFY2(refused.status == 1, qPrintable(QString::number(refused.status) + refused.err));
    QCOMPARE(contents(path("file")), kOld);
    QCOMPARE(QDir(place_).entryList(QDir::Files | QDir::Hidden | QDir::System),
             QStringList{"file"});
}

void Outputs::a_killed_command_leaves_the_old_file_and_nothing_else() {
    const auto writes = [](const QString& io) {
        for (const auto& line : contents(io).split('\n'))
            if (line.startsWith("wchar: ")) return line.mid(7).toLongLong();
        return 0LL;
    };
    // Killed while it writes; now and then it is faster.
    for (int tries = 0, caught = 0; caught < 3; ++tries) {
        QVERIFY(tries < 100);
        put(path("file"));
        auto peer = service_->cli_peer({"dump", big_, "--raw", "-o", path("file"), "--force"});
        const auto io = QString("/proc/%1/io").arg(peer->pid());
        QElapsedTimer patience;
        patience.start();
        while (QFile::exists(io) && writes(io) < 100'000 && !patience.hasExpired(2000))
            std::this_thread::yield();
        if (peer->end(SIGKILL).status != -SIGKILL) continue;
        ++caught;
        QCOMPARE(contents(path("file")), kOld);
        QCOMPARE(QDir(place_).entryList(QDir::Files | QDir::Hidden | QDir::System),
                 QStringList{"file"});
    }
}

void Outputs::a_read_only_directory_leaves_the_old_file() {
    const auto small = path("small");
    QVERIFY(QDir().mkpath(small));
    if (::mount("none", small.toUtf8().constData(), "tmpfs", 0, "size=1m") != 0)
        QSKIP("may not mount a file system");
    const auto unmount = qScopeGuard([&] { ::umount2(small.toUtf8().constData(), MNT_DETACH); });
    put(small + "/file");
    QCOMPARE(::mount("none", small.toUtf8().constData(), "tmpfs", MS_REMOUNT | MS_RDONLY, nullptr),
             0);
    for (const auto& words : QList<QStringList>{{"audit", "export"}, {"diagnose"}, {"dump", id_}}) {
        const auto refused = to(words, small + "/file");
        QCOMPARE(refused.status, 1);
        QVERIFY2(refused.err.contains("Read-only"), qPrintable(refused.err));
        QCOMPARE(contents(small + "/file"), kOld);
    }
}

void Outputs::config_set_replaces_no_device_data() {
    QTest::addColumn<QString>("kind");
    for (const auto* kind : {"device", "FIFO", "socket", "directory", "link to a device"})
        QTest::newRow(kind) << QString(kind);
}

void Outputs::config_set_replaces_no_device() {
    QFETCH(QString, kind);
    if (::geteuid() != 0 && kind.contains("device")) QSKIP("only root makes devices");
    const auto file = path("config.toml");
    QVERIFY(make_thing(kind, file));
    const auto before = facts(file), target = facts(file, true);
    auto peer = service_->cli_peer({"config", "set", "max_regions", "77", "--file", file});
    const auto refused = peer->wait();
    QVERIFY2(refused.status == 1, qPrintable(refused.out + refused.err));
    QCOMPARE(facts(file).st_mode, before.st_mode);
    QCOMPARE(facts(file).st_ino, before.st_ino);
    QCOMPARE(facts(file, true).st_mode, target.st_mode);
}

void Outputs::config_set_keeps_a_link_to_nothing() {
    QVERIFY(QFile::link("real.toml", path("config.toml")));
    const auto set =
        service_->cli({"config", "set", "max_regions", "77", "--file", path("config.toml")});
    QVERIFY2(set.status == 0, qPrintable(set.err));
    QVERIFY(is_link(path("config.toml")));
    QVERIFY(contents(path("real.toml")).contains("77"));
}

void Outputs::the_metrics_file_replaces_no_device_data() {
    config_set_replaces_no_device_data();
}

void Outputs::the_metrics_file_replaces_no_device() {
    QFETCH(QString, kind);
    if (::geteuid() != 0 && kind.contains("device")) QSKIP("only root makes devices");
    const auto file = path("shm.prom");
    QVERIFY(make_thing(kind, file));
    const auto before = facts(file), target = facts(file, true);
    Service service;
    service.host().configure(QString("telemetry_enabled = true\n[shared_memory.telemetry]\n"
                                     "textfile = \"%1\"\ninterval = \"1s\"\n")
                                 .arg(file));
    QVERIFY(service.start());
    // Written once, or refused once.
    const auto told = [&] {
        const auto telemetry = service.cli_json({"status"})["telemetry"].toObject();
        return QString(QJsonDocument(telemetry).toJson()).contains("not a regular file") ||
               facts(file).st_ino != before.st_ino;
    };
    QTRY_VERIFY_WITH_TIMEOUT(told(), kPatienceMs);
    QCOMPARE(service.stop(), 0);
    QCOMPARE(facts(file).st_mode, before.st_mode);
    QCOMPARE(facts(file).st_ino, before.st_ino);
    QCOMPARE(facts(file, true).st_mode, target.st_mode);
}

void Outputs::the_metrics_file_follows_a_link() {
    QVERIFY(QFile::link("real.prom", path("shm.prom")));
    Service service;
    service.host().configure(QString("telemetry_enabled = true\n[shared_memory.telemetry]\n"
                                     "textfile = \"%1\"\ninterval = \"1s\"\n")
                                 .arg(path("shm.prom")));
    QVERIFY(service.start());
    QTRY_VERIFY_WITH_TIMEOUT(contents(path("shm.prom")).contains("snakepit"), kPatienceMs);
    QVERIFY(is_link(path("shm.prom")));
    QVERIFY(S_ISREG(facts(path("real.prom")).st_mode));
    QCOMPARE(service.stop(), 0);
    QVERIFY(is_link(path("shm.prom")));
    QVERIFY(!QFile::exists(path("real.prom")));  // no figures of a manager that has ended
}

void Outputs::a_full_standard_output_is_an_error_data() {
    QTest::addColumn<QString>("words");
    for (const auto& words : {QString("list"),
                              QString("list --json"),
                              QString("status"),
                              "info " + id_,
                              QString("allocate 1 --json"),
                              QString("cleanup --dry-run"),
                              QString("events"),
                              QString("events --json"),
                              QString("config show"),
                              QString("config check"),
                              QString("health --json"),
                              QString("host"),
                              QString("version"),
                              QString("help"),
                              QString("--help"),
                              QString("list --help"),
                              QString("metrics"),
                              QString("stats"),
                              QString("alerts"),
                              QString("locks"),
                              "policy show " + id_,
                              "read " + id_,
                              "dump " + id_,
                              QString("top --once"),
                              QString("audit verify"),
                              QString("defragment"),
                              QString("stats --metrics")})
        QTest::newRow(qPrintable(words)) << words;
}

void Outputs::a_full_standard_output_is_an_error() {
    QFETCH(QString, words);
    const auto full = shell(QString("\"$cli\" %1 > /dev/full").arg(words));
    QVERIFY2(full.status == 1, qPrintable(QString::number(full.status) + full.err));
    QVERIFY2(full.err.contains("standard output"), qPrintable(full.err));
    if (words.contains("--help")) return;
    const auto closed = shell(QString("\"$cli\" %1 >&-").arg(words));
    QVERIFY2(closed.status == 1, qPrintable(QString::number(closed.status) + closed.err));
}

void Outputs::a_reader_that_went_away_is_no_error_data() {
    QTest::addColumn<QString>("words");
    for (const auto& words :
         {QString("list"), QString("events --limit 100000"), QString("help"), "read " + big_,
          "dump " + big_, "dump --raw -o - " + big_, QString("metrics"), QString("diagnose -o -")})
        QTest::newRow(qPrintable(words)) << words;
}

void Outputs::a_reader_that_went_away_is_no_error() {
    QFETCH(QString, words);
    const auto quiet = shell(QString("\"$cli\" %1 | : ; exit ${PIPESTATUS[0]}").arg(words));
    QCOMPARE(quiet.err, QString());
    QCOMPARE(quiet.status, 0);
}

// The first file that is opened would have the number of standard output.
void Outputs::without_standard_output_no_file_gets_the_text() {
    auto host = std::make_shared<TestHost>();
    const Service service(host, "quiet");
    Peer peer("/bin/bash",
              {"-c", QString("exec '%1' serve >&- 2>&- <&-")
                         .arg(QCoreApplication::applicationDirPath() + "/snakepit-shm")},
              host->environment("quiet"));
    QTRY_VERIFY_WITH_TIMEOUT(service.cli({"status"}).status == 0, kPatienceMs);
    for (int number = 0; number < 3; ++number) {
        const auto target =
            QFile::symLinkTarget(QString("/proc/%1/fd/%2").arg(peer.pid()).arg(number));
        QVERIFY2(target.isEmpty() || target == "/dev/null", qPrintable(target));
    }
    QCOMPARE(peer.end(SIGTERM).status, 0);
}

QTEST_GUILESS_MAIN(Outputs)
#include "tst_outputs.moc"
