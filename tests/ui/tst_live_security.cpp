// SPDX-License-Identifier: GPL-3.0-or-later
// Policies, keys and reports of a real service, through the window.
#include <sys/stat.h>

#include <QCheckBox>
#include <QFile>
#include <QFileInfo>
#include <QJsonArray>
#include <QSignalSpy>
#include <QToolButton>

#include "find_widget.h"
#include "live_fixture.h"
#include "ui/dialogs/audit_dialog.h"
#include "ui/dialogs/policy_dialog.h"
#include "ui/dialogs/report_dialog.h"
#include "ui/dialogs/rotate_dialog.h"
#include "ui/dialogs/rule_dialog.h"
#include "ui/models/settings.h"

namespace snakepit::shm::ui {

namespace {

using test::Service;

QString all_words(QWidget& widget) {
    QString text;
    for (const auto* label : widget.findChildren<QLabel*>())
        text += unbroken(label->text()) + u'\n';
    return text;
}

void add_rule(PolicyDialog& dialog, const QString& field, const QString& value) {
    named<QToolButton>(dialog, QStringLiteral("Add a rule"))->click();
    auto* rule = dialog.findChild<RuleDialog*>();
    named<QLineEdit>(*rule, field)->setText(value);
    primary(*rule)->click();
    delete rule;  // closed already; the next one is to be found
}

bool saves(PolicyDialog& dialog) {
    QSignalSpy saved(&dialog, &PolicyDialog::saved);
    primary(dialog)->click();
    return saved.wait(kPatience) && saved.front().front().toBool();
}

QString new_region(const Service& service, const QStringList& words = {}) {
    return service.cli_json(QStringList{"allocate", "256KiB", "--cleanup-policy", "manual"} + words)
        .value("id")
        .toString();
}

}  // namespace

class TestLiveSecurity : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase() { set_remembering(false); }

    void a_policy_saved_in_the_window_is_the_managers();
    void a_policy_the_manager_refuses_says_why();
    void a_key_is_rotated();
    void every_report_is_genuine_until_a_byte_is_changed();
    void a_report_replaces_a_file_only_when_asked();
    void the_window_verifies_the_history_as_the_command_line_does();
};

void TestLiveSecurity::a_policy_saved_in_the_window_is_the_managers() {
    Service service;
    QVERIFY(service.start());
    const auto id = new_region(service);
    LiveFixture fixture(service);
    QTRY_COMPARE_WITH_TIMEOUT(fixture.cell(0, kColumnId), id, kPatience);
    fixture.click_row(0);
    QTRY_VERIFY_WITH_TIMEOUT(fixture.details().contains(QStringLiteral("in effect")), kPatience);
    QVERIFY(!fixture.details().contains(QStringLiteral("user daemon")));
    PolicyDialog dialog(fixture.workspace, *RegionId::parse(id.toStdString()), &fixture.window);
    dialog.setAttribute(Qt::WA_DeleteOnClose, false);
    QSignalSpy loaded(&dialog, &PolicyDialog::loaded);
    dialog.show();
    QVERIFY(loaded.wait(kPatience));
    add_rule(dialog, QStringLiteral("User"), QStringLiteral("daemon"));
    QVERIFY2(saves(dialog), qPrintable(all_words(dialog)));
    const auto policy = service.cli_json({"policy", "show", id}).value("policy").toObject();
    const auto rules = policy.value("rules").toArray();
    QCOMPARE(rules.size(), 1);
    QCOMPARE(rules[0].toObject().value("user").toString(), QStringLiteral("daemon"));
    QTRY_VERIFY_WITH_TIMEOUT(fixture.details().contains(QStringLiteral("user daemon")), kPatience);
}

void TestLiveSecurity::a_policy_the_manager_refuses_says_why() {
    Service service;
    QVERIFY(service.start());
    const auto id = new_region(service);
    LiveFixture fixture(service);
    PolicyDialog dialog(fixture.workspace, *RegionId::parse(id.toStdString()), &fixture.window);
    dialog.setAttribute(Qt::WA_DeleteOnClose, false);
    QSignalSpy loaded(&dialog, &PolicyDialog::loaded);
    dialog.show();
    QVERIFY(loaded.wait(kPatience));
    // Above the most that Linux gives out.
    add_rule(dialog, QStringLiteral("Process id"), QStringLiteral("4194305"));
    QVERIFY(!saves(dialog));
    QVERIFY2(all_words(dialog).contains(QStringLiteral("process 4194305 is not running")),
             qPrintable(all_words(dialog)));
    const auto policy = service.cli_json({"policy", "show", id}).value("policy").toObject();
    QVERIFY(policy.value("rules").toArray().isEmpty());
}

void TestLiveSecurity::a_key_is_rotated() {
    Service service;
    QVERIFY(service.start());
    const auto id = new_region(service, {"--security-level", "high"});
    QVERIFY(!id.isEmpty());
    LiveFixture fixture(service);
    RegionInfo info;
    info.id = *RegionId::parse(id.toStdString());
    info.security_level = SecurityLevel::high;
    RotateDialog dialog(fixture.workspace, info, &fixture.window);
    dialog.setAttribute(Qt::WA_DeleteOnClose, false);
    dialog.show();
    QSignalSpy finished(&dialog, &RotateDialog::finished_run);
    primary(dialog)->click();
    QVERIFY(finished.wait(kPatience));
    QVERIFY2(all_words(dialog).contains(QStringLiteral("Done")), qPrintable(all_words(dialog)));
    const auto rotated = [&] {
        return service.cli({"events", "--kind", "key_rotated"}).out.count(id) == 1;
    };
    QTRY_VERIFY_WITH_TIMEOUT(rotated(), kPatience);
}

void TestLiveSecurity::every_report_is_genuine_until_a_byte_is_changed() {
    Service service;
    QVERIFY(service.start());
    const auto id = new_region(service);
    LiveFixture fixture(service);
    QTRY_VERIFY_WITH_TIMEOUT(service.cli({"events"}).out.contains(id), kPatience);
    const std::pair<ReportFormat, const char*> formats[] = {{ReportFormat::csv, "csv"},
                                                            {ReportFormat::json, "json"},
                                                            {ReportFormat::html, "html"},
                                                            {ReportFormat::pdf, "pdf"}};
    for (const auto& [format, suffix] : formats) {
        const auto name = service.host().path(QStringLiteral("report.") + QLatin1String(suffix));
        ReportDialog dialog(fixture.workspace, {}, &fixture.window);
        dialog.setAttribute(Qt::WA_DeleteOnClose, false);
        dialog.show();
        dialog.set_format(format);
        dialog.set_file(name);
        QSignalSpy finished(&dialog, &ReportDialog::finished_run);
        primary(dialog)->click();
        QVERIFY(finished.wait(kPatience));
        QVERIFY2(finished.front().front().toBool(), qPrintable(all_words(dialog)));
        const auto checked = service.cli({"audit", "verify", name});
        QVERIFY2(checked.status == 0, qPrintable(checked.out + checked.err));
        QFile file(name);
        QVERIFY(file.open(QIODevice::ReadWrite));
        char byte = 0;
        QVERIFY(file.seek(file.size() / 3) && file.peek(&byte, 1) == 1);
        byte = byte == 'a' ? 'b' : 'a';
        QVERIFY(file.write(&byte, 1) == 1);
        file.close();
        QVERIFY(service.cli({"audit", "verify", name}).status != 0);
    }
}

void TestLiveSecurity::a_report_replaces_a_file_only_when_asked() {
    Service service;
    QVERIFY(service.start());
    QVERIFY(!new_region(service).isEmpty());
    LiveFixture fixture(service);
    const auto name = service.host().path(QStringLiteral("there.csv"));
    const auto text = [&] {
        QFile file(name);
        return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
    };
    const auto write = [&](const QString& to, int clicks) {
        ReportDialog dialog(fixture.workspace, {}, &fixture.window);
        dialog.setAttribute(Qt::WA_DeleteOnClose, false);
        dialog.show();
        dialog.set_format(ReportFormat::csv);
        dialog.set_file(to);
        QSignalSpy finished(&dialog, &ReportDialog::finished_run);
        const bool began = clicks > 1 || !QFileInfo::exists(to);
        for (int i = 0; i < clicks; ++i) primary(dialog)->click();
        if (began && finished.isEmpty()) finished.wait(kPatience);
        return all_words(dialog);
    };
    QFile file(name);
    QVERIFY(file.open(QIODevice::WriteOnly) && file.write("precious") == 8);
    file.close();
    QVERIFY(write(name, 1).contains(QStringLiteral("already exists")));
    QCOMPARE(text(), QByteArray("precious"));
    QVERIFY(write(name, 2).contains(QStringLiteral("signed by")));
    QVERIFY(text() != "precious");
    // What is not a regular file is not even replaced when asked; a link stays.
    const auto pipe = service.host().path(QStringLiteral("pipe.csv"));
    QCOMPARE(::mkfifo(pipe.toUtf8().constData(), 0600), 0);
    QVERIFY(write(pipe, 2).contains(QStringLiteral("not a regular file")));
    struct stat info {};
    QVERIFY(::lstat(pipe.toUtf8().constData(), &info) == 0 && S_ISFIFO(info.st_mode));
    const auto link = service.host().path(QStringLiteral("link.csv"));
    QVERIFY(QFile::link(QStringLiteral("target.csv"), link));
    QVERIFY(write(link, 1).contains(QStringLiteral("signed by")));
    QVERIFY(QFileInfo(link).isSymLink());
    QVERIFY(QFile::exists(service.host().path(QStringLiteral("target.csv"))));
}

void TestLiveSecurity::the_window_verifies_the_history_as_the_command_line_does() {
    Service service;
    QVERIFY(service.start());
    const auto id = new_region(service);
    LiveFixture fixture(service);
    QTRY_VERIFY_WITH_TIMEOUT(service.cli({"events"}).out.contains(id), kPatience);
    AuditDialog dialog(fixture.workspace, &fixture.window);
    dialog.setAttribute(Qt::WA_DeleteOnClose, false);
    QSignalSpy verified(&dialog, &AuditDialog::verified);
    dialog.show();
    QVERIFY(verified.wait(kPatience));
    const auto key = service.cli_json({"audit", "verify"}).value("key").toString();
    QVERIFY2(!key.isEmpty() && all_words(dialog).contains(key), qPrintable(all_words(dialog)));
    QVERIFY(all_words(dialog).contains(QStringLiteral("genuine\n")));
}

}  // namespace snakepit::shm::ui

QTEST_MAIN(snakepit::shm::ui::TestLiveSecurity)
#include "tst_live_security.moc"
