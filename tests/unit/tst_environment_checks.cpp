// SPDX-License-Identifier: MIT
// Limits of the machine and settings of the system that are made for the test.
#include <QDir>
#include <QFile>
#include <QTemporaryDir>
#include <QtTest>

#include "diagnostics/environment_checks.h"

using namespace snakepit::shm;

namespace {

const Check& named(const std::vector<Check>& checks, const char* name) {
    const auto found = std::find_if(checks.begin(), checks.end(),
                                    [&](const Check& check) { return check.name == name; });
    if (found == checks.end()) qFatal("there is no such check");
    return *found;
}

}  // namespace

class EnvironmentChecks : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void few_descriptors_are_warned_of();
    void few_mappings_are_warned_of_by_what_a_process_may_want();
    void what_logind_does_with_segments_is_read_as_it_reads_it();
};

void EnvironmentChecks::few_descriptors_are_warned_of() {
    Limits limits{.descriptors = 4096, .mappings = 65'530};
    QVERIFY(named(check_limits({}, limits), "descriptor_limit").result == CheckResult::ok);
    limits.descriptors = 1024;
    const auto checks = check_limits({}, limits);
    const auto& found = named(checks, "descriptor_limit");
    QVERIFY(found.result == CheckResult::warning);
    QVERIFY(found.message.find("1024") != std::string::npos);
    QVERIFY(found.remedy.find("LimitNOFILE") != std::string::npos);
}

void EnvironmentChecks::few_mappings_are_warned_of_by_what_a_process_may_want() {
    Config config;
    config.max_regions_per_process = 64'530;
    Limits limits{.descriptors = 4096, .mappings = 65'530};
    QVERIFY(named(check_limits(config, limits), "mapping_limit").result == CheckResult::ok);
    ++config.max_regions_per_process;
    const auto checks = check_limits(config, limits);
    QVERIFY(named(checks, "mapping_limit").result == CheckResult::warning);
    QVERIFY(named(checks, "mapping_limit").remedy.find("vm.max_map_count") != std::string::npos);
    limits.mappings.reset();  // a system without such a limit
    QCOMPARE(check_limits(config, limits).size(), std::size_t{1});
}

void EnvironmentChecks::what_logind_does_with_segments_is_read_as_it_reads_it() {
    const QTemporaryDir root;
    const auto removes = [&] { return logind_removes_ipc(root.path().toStdString()); };
    const auto write = [&](const char* path, const char* text) {
        const auto full = root.path() + path;
        QFile file(full);
        QVERIFY(QDir().mkpath(QFileInfo(full).path()));
        QVERIFY(file.open(QIODevice::WriteOnly) && file.write(text) >= 0);
    };
    QVERIFY(removes());  // what holds when nothing is said
    write("/usr/lib/systemd/logind.conf", "[Login]\nRemoveIPC=no\n");
    QVERIFY(!removes());
    write("/etc/systemd/logind.conf", "[Login]\n#RemoveIPC=no\n");
    QVERIFY(removes());  // in place of the other, and it says nothing
    write("/etc/systemd/logind.conf", "[Login]\n RemoveIPC = Off \r\nRemoveIPC=perhaps\n");
    QVERIFY(!removes());
    write("/run/systemd/logind.conf.d/50-a.conf", "[Login]\nRemoveIPC=1\n");
    QVERIFY(removes());
    write("/usr/lib/systemd/logind.conf.d/60-b.conf", "[Login]\nRemoveIPC=false\n");
    QVERIFY(!removes());  // by its name, wherever it stands
    write("/etc/systemd/logind.conf.d/60-b.conf", "");
    QVERIFY(removes());  // the file of that name that counts is another now
    write("/etc/systemd/logind.conf.d/70-c.conf.old", "[Login]\nRemoveIPC=no\n");
    QVERIFY(removes());  // nobody reads that
    write("/etc/systemd/logind.conf.d/80-d.conf", "[Login]\nRemoveIPC=no\nRemoveIPC=\n");
    QVERIFY(removes());  // taken back
}

QTEST_APPLESS_MAIN(EnvironmentChecks)
#include "tst_environment_checks.moc"
