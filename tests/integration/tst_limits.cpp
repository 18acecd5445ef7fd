// SPDX-License-Identifier: MIT
// A file system without room, of one kind or another: what is told, and what is advised. In a mount
// namespace of the test's own.
#include <QDir>
#include <QFile>
#include <QJsonArray>
#include <QtTest>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include "service_fixture.h"

using namespace snakepit::shm::test;

namespace {

bool may_mount = false;

// A file system of memory at a directory of the test's own.
class Small {
  public:
    Small(QString path, const char* options) : path_(std::move(path)) {
        QDir().mkpath(path_);
        mounted_ = ::mount("limits", path_.toUtf8(), "tmpfs", 0, options) == 0;
    }
    ~Small() { ::umount2(path_.toUtf8(), MNT_DETACH); }
    bool mounted() const { return mounted_; }

    // Empty files until no more can be made.
    void fill_with_files() const {
        for (int i = 0; i < 10'000; ++i) {
            QFile file(path_ + "/nccl-" + QString::number(i));
            if (!file.open(QIODevice::WriteOnly)) return;
        }
    }
    void fill_with_bytes() const {
        QFile file(path_ + "/somebody's");
        QVERIFY(file.open(QIODevice::WriteOnly));
        while (file.write(QByteArray(4096, 'x')) == 4096 && file.flush()) continue;
    }

  private:
    QString path_;
    bool mounted_ = false;
};

QJsonObject check_named(const QJsonObject& health, const QString& name) {
    for (const auto& value : health["checks"].toArray())
        if (value.toObject()["name"].toString() == name) return value.toObject();
    return {};
}

QByteArray shown(const QJsonObject& object) {
    return QJsonDocument(object).toJson(QJsonDocument::Compact);
}

}  // namespace

class Limits : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init() {
        if (!may_mount) QSKIP("needs root, for a mount namespace of its own");
        service_ = std::make_unique<Service>();
        segments_ = service_->host().path("segments");
    }
    void cleanup() { service_.reset(); }
    void without_inodes_files_are_to_be_removed();
    void a_manager_that_cannot_start_says_what_is_missing_data();
    void a_manager_that_cannot_start_says_what_is_missing();
    void what_others_hold_is_not_to_be_cleaned_up_by_us();
    void inodes_of_the_state_directory_are_looked_at();
    void an_output_without_an_inode_is_told_so();

  private:
    std::unique_ptr<Service> service_;
    QString segments_;
};

void Limits::without_inodes_files_are_to_be_removed() {
    const Small small(segments_, "size=64m,nr_inodes=510,mode=1777");
    QVERIFY(small.mounted() && service_->start());
    small.fill_with_files();
    const auto host = service_->cli({"host", "--shm-path", segments_});
    QVERIFY2(host.out.contains("0 of 510 inodes free"), qPrintable(host.out));
    const auto json = service_->cli_json({"host", "--shm-path", segments_});
    const auto place = json["balance"].toObject()["places"].toArray().first().toObject();
    QCOMPARE(place["files_total"].toInt(), 510);
    QCOMPARE(place["files_free"].toInt(), 0);
    const auto check = check_named(service_->cli_json({"health"}), "shared_memory_space");
    QCOMPARE(check["status"].toString(), "problem");
    QVERIFY2(check["message"].toString().contains("0 of 510 inodes free"), shown(check));
    QVERIFY2(check["remedy"].toString().contains("remove files"), shown(check));
    const auto refused =
        service_->cli({"allocate", "8KiB", "--placement", "dedicated", "--json"}).error();
    QCOMPARE(refused["code"].toString(), "no_space");
    QVERIFY2(refused["message"].toString().contains("0 of 510 inodes free"), shown(refused));
    QVERIFY2(refused["remedy"].toString().contains("remove files"), shown(refused));
    QVERIFY2(!refused["remedy"].toString().contains("cleanup"), shown(refused));
}

void Limits::a_manager_that_cannot_start_says_what_is_missing_data() {
    QTest::addColumn<QString>("options");
    QTest::addColumn<QString>("said");
    QTest::newRow("inodes") << "mode=700,size=64m,nr_inodes=3"
                            << "0 of 3 inodes free";
    QTest::newRow("bytes") << "mode=700,size=16k,nr_inodes=500"
                           << "free of 16 KiB";
}

void Limits::a_manager_that_cannot_start_says_what_is_missing() {
    QFETCH(QString, options);
    QFETCH(QString, said);
    const Small small(service_->host().runtime_dir(service_->instance()), options.toUtf8());
    QVERIFY(small.mounted());
    const auto refused = service_->cli({"serve"});
    QVERIFY(refused.status != 0);
    QVERIFY2(refused.err.contains(said), qPrintable(refused.err));
    QVERIFY2(!refused.err.contains("cleanup"), qPrintable(refused.err));
}

void Limits::what_others_hold_is_not_to_be_cleaned_up_by_us() {
    const Small small(segments_, "size=16m,mode=1777");
    QVERIFY(small.mounted() && service_->start());
    small.fill_with_bytes();
    const auto refused = service_->cli({"allocate", "4MiB", "--json"}).error();
    QCOMPARE(refused["code"].toString(), "no_space");
    const auto remedy = refused["remedy"].toString();
    QVERIFY2(remedy.contains("'snakepit-shm host'"), shown(refused));
    QVERIFY2(!remedy.contains("cleanup") && !remedy.contains("every region"), shown(refused));
}

void Limits::inodes_of_the_state_directory_are_looked_at() {
    const Small small(service_->host().state_dir(service_->instance()), "size=900m,nr_inodes=100");
    QVERIFY(small.mounted());
    small.fill_with_files();
    const auto check = check_named(service_->cli_json({"health"}), "state_space");
    QCOMPARE(check["status"].toString(), "problem");
    QVERIFY2(check["message"].toString().contains("0 of 100 inodes free"), shown(check));
}

void Limits::an_output_without_an_inode_is_told_so() {
    const auto out = service_->host().path("out");
    const Small small(out, "size=64m,nr_inodes=20");
    QVERIFY(small.mounted());
    small.fill_with_files();
    const auto refused = service_->cli({"diagnose", "-o", out + "/bundle"});
    QVERIFY(refused.status != 0);
    QVERIFY2(refused.err.contains("0 of 20 inodes free"), qPrintable(refused.err));
}

int main(int argc, char** argv) {
    may_mount = ::geteuid() == 0 && ::unshare(CLONE_NEWNS) == 0 &&
                ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    QCoreApplication app(argc, argv);
    Limits test;
    return QTest::qExec(&test, argc, argv);
}

#include "tst_limits.moc"
