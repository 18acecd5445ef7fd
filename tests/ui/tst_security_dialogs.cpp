// SPDX-License-Identifier: GPL-3.0-or-later
// Policies, keys, the history's proof and reports, as the window shows and changes them.
#include <QCheckBox>
#include <QComboBox>
#include <QFile>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QTableWidget>
#include <QToolButton>

#include "find_widget.h"
#include "fixture.h"
#include "patience.h"
#include "ui/dialogs/audit_dialog.h"
#include "ui/dialogs/policy_dialog.h"
#include "ui/dialogs/policy_editor.h"
#include "ui/dialogs/report_dialog.h"
#include "ui/dialogs/rotate_dialog.h"
#include "ui/dialogs/rule_dialog.h"
#include "ui/dialogs/what_if_panel.h"
#include "ui/models/event_model.h"
#include "ui/models/event_text.h"
#include "ui/models/settings.h"
#include "ui/pages/events_page.h"
#include "ui/report/report_pdf.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

namespace {

bool says(QWidget& widget, const QString& words) {
    for (const auto* label : widget.findChildren<QLabel*>())
        if (label->isVisible() && label->text().contains(words)) return true;
    return false;
}

void choose(QComboBox* box, Permission permission) {
    box->setCurrentIndex(box->findData(static_cast<int>(permission)));
}

PolicyRule rule_for(const char* user, Right right) {
    PolicyRule rule;
    rule.user = user;
    rule.allow.add(right);
    return rule;
}

bool all_concern_security(const EventModel& model) {
    const auto& kinds = security_kinds();
    for (int row = 0; row < model.rowCount(); ++row)
        if (std::find(kinds.begin(), kinds.end(), model.row(row)->kind) == kinds.end())
            return false;
    return model.rowCount() > 0;
}

// A dialog on the policy of a region, shown and loaded.
struct PolicyFixture {
    explicit PolicyFixture(std::optional<Policy> before = {}, bool encrypted = false)
        : fixture(60) {
        for (const auto& row : fixture.world.rows())
            if ((row.info.security_level != SecurityLevel::standard) == encrypted) id = row.info.id;
        if (before) fixture.manager->policies[id] = *before;
        dialog = std::make_unique<PolicyDialog>(fixture.workspace, id, &fixture.window);
        dialog->setAttribute(Qt::WA_DeleteOnClose, false);
        QSignalSpy previewed(dialog.get(), &PolicyDialog::previewed);
        dialog->show();
        previewed.wait(60'000);
    }
    void preview() const {
        QSignalSpy previewed(dialog.get(), &PolicyDialog::previewed);
        QVERIFY(previewed.wait(60'000));
    }
    QComboBox* permission(const char* of) const {
        return named<QComboBox>(*dialog, QStringLiteral("Permission of %1").arg(QLatin1String(of)));
    }
    QString chip(const char* which) const {
        return named<QLabel>(*dialog, QLatin1String(which))->text();
    }
    void add_rule(const QString& user, bool writes) const {
        named<QToolButton>(*dialog, QStringLiteral("Add a rule"))->click();
        auto* rule = dialog->findChild<RuleDialog*>();
        QVERIFY(rule);
        named<QLineEdit>(*rule, QStringLiteral("User"))->setText(user);
        for (auto* box : rule->findChildren<QCheckBox*>())
            if (box->text() == QStringLiteral("write")) box->setChecked(writes);
        primary(*rule)->click();
    }

    Fixture fixture;
    RegionId id;
    std::unique_ptr<PolicyDialog> dialog;
};

}  // namespace

class TestSecurityDialogs : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase() {
        set_remembering(false);
        Theme::instance().apply(ThemeChoice::light);
    }

    void a_rule_says_what_it_changes_before_it_is_saved() {
        PolicyFixture policy;
        QVERIFY(!primary(*policy.dialog)->isEnabled());
        named<QLineEdit>(policy.dialog->what_if(), QStringLiteral("User"))
            ->setText(QStringLiteral("daemon"));
        policy.preview();
        QCOMPARE(policy.chip("Read, now"), QStringLiteral("no"));
        QCOMPARE(policy.chip("Read, with this policy"), QStringLiteral("no"));
        policy.add_rule(QStringLiteral("daemon"), false);
        policy.preview();
        QCOMPARE(policy.chip("Read, now"), QStringLiteral("no"));
        QCOMPARE(policy.chip("Read, with this policy"), QStringLiteral("yes"));
        QCOMPARE(policy.chip("Write, with this policy"), QStringLiteral("no"));
        QVERIFY(says(*policy.dialog, QStringLiteral("rule 1: user daemon")));
        QVERIFY(says(*policy.dialog, QStringLiteral("--allow user=daemon:read")));
        QVERIFY(policy.fixture.manager->policies.empty());
        QSignalSpy saved(policy.dialog.get(), &PolicyDialog::saved);
        primary(*policy.dialog)->click();
        QVERIFY(saved.wait(60'000));
        const auto& now = policy.fixture.manager->policies.at(policy.id);
        QCOMPARE(now.rules, std::vector<PolicyRule>{rule_for("daemon", Right::read)});
        QVERIFY(says(*policy.dialog, QStringLiteral("in effect")));
        QVERIFY(!primary(*policy.dialog)->isEnabled());
    }

    void saving_is_offered_only_for_a_change_that_can_be_saved() {
        PolicyFixture policy;
        choose(policy.permission("group"), Permission::read_only);
        QVERIFY(primary(*policy.dialog)->isEnabled());
        choose(policy.permission("group"), Permission::none);
        QVERIFY(!primary(*policy.dialog)->isEnabled());
        for (auto* box : policy.dialog->findChildren<QCheckBox*>()) box->setChecked(true);
        QVERIFY(!primary(*policy.dialog)->isEnabled());
        QVERIFY(says(*policy.dialog, QStringLiteral("not encrypted")));
    }

    void encryption_can_be_required_of_what_is_encrypted() {
        PolicyFixture policy({}, true);
        for (auto* box : policy.dialog->findChildren<QCheckBox*>()) box->setChecked(true);
        QVERIFY(primary(*policy.dialog)->isEnabled());
        QVERIFY(says(*policy.dialog, QStringLiteral("--require-encryption --audit")));
    }

    void a_program_that_would_lose_what_it_holds_is_named() {
        Policy open;
        open.permissions.other = Permission::read_write;
        PolicyFixture policy(open);
        auto* changes = named<QTableWidget>(*policy.dialog, QStringLiteral("Affected programs"));
        QCOMPARE(changes->rowCount(), 0);
        QVERIFY(says(*policy.dialog, QStringLiteral("name a group instead")));
        choose(policy.permission("others"), Permission::read_only);
        policy.preview();
        QCOMPARE(changes->rowCount(), 1);
        QCOMPARE(changes->item(0, 2)->text(), QStringLiteral("yes"));
        QCOMPARE(changes->item(0, 3)->text(), QStringLiteral("loses"));
        choose(policy.permission("others"), Permission::none);
        policy.preview();
        QCOMPARE(changes->item(0, 2)->text(), QStringLiteral("loses"));
        QVERIFY(changes->item(0, 5)->text().contains(QStringLiteral("until released")));
    }

    void a_refused_policy_changes_nothing_and_says_why() {
        PolicyFixture policy;
        policy.add_rule(QStringLiteral("daemon"), true);
        policy.fixture.manager->refusal =
            make_error(ErrorCode::policy_invalid, "rules[0].process: there is no process 4",
                       "name one that runs");
        QSignalSpy saved(policy.dialog.get(), &PolicyDialog::saved);
        primary(*policy.dialog)->click();
        QVERIFY(saved.wait(60'000));
        QCOMPARE(saved.front().front().toBool(), false);
        QVERIFY(says(*policy.dialog, QStringLiteral("there is no process 4")));
        QVERIFY(policy.fixture.manager->policies.empty());
        QVERIFY(primary(*policy.dialog)->isEnabled());
    }

    void a_policy_that_somebody_else_changed_meanwhile_is_not_overwritten_unasked() {
        PolicyFixture policy;
        policy.add_rule(QStringLiteral("daemon"), false);
        Policy other;
        other.audit = true;
        policy.fixture.manager->policies[policy.id] = other;
        QSignalSpy saved(policy.dialog.get(), &PolicyDialog::saved);
        primary(*policy.dialog)->click();
        QVERIFY(saved.wait(60'000));
        QCOMPARE(policy.fixture.manager->policies.at(policy.id), other);
        QVERIFY(says(*policy.dialog, QStringLiteral("since it was opened")));
        primary(*policy.dialog)->click();
        QVERIFY(saved.wait(60'000));
        QCOMPARE(policy.fixture.manager->policies.at(policy.id).rules.size(), std::size_t{1});
    }

    void what_is_wrong_with_a_rule_is_said_at_its_field() {
        Fixture fixture(3);
        RuleDialog dialog(fixture.workspace, {}, {}, {}, &fixture.window);
        dialog.setAttribute(Qt::WA_DeleteOnClose, false);
        dialog.show();
        auto* program = named<QLineEdit>(dialog, QStringLiteral("Program"));
        program->setText(QStringLiteral("reader"));
        QVERIFY(!primary(dialog)->isEnabled());
        QVERIFY(says(dialog, QStringLiteral("absolute path")));
        program->setText(QStringLiteral("/no/such/program"));
        QVERIFY(primary(dialog)->isEnabled());
        QTRY_VERIFY_WITH_TIMEOUT(
            says(dialog, QStringLiteral("program /no/such/program does not exist")), kPatienceMs);
        auto* process = named<QLineEdit>(dialog, QStringLiteral("Process id"));
        process->setText(QStringLiteral("-3"));
        QVERIFY(!primary(dialog)->isEnabled());
        process->clear();
        for (auto* box : dialog.findChildren<QCheckBox*>()) box->setChecked(false);
        QVERIFY(!primary(dialog)->isEnabled());
        QVERIFY(says(dialog, QStringLiteral("at least one")));
    }

    void a_key_is_rotated_once_however_often_the_button_is_pressed() {
        Fixture fixture(60);
        RegionInfo region;
        for (const auto& row : fixture.world.rows())
            if (RotateDialog::applies_to(row.info)) region = row.info;
        RotateDialog dialog(fixture.workspace, region, &fixture.window);
        dialog.setAttribute(Qt::WA_DeleteOnClose, false);
        dialog.show();
        QVERIFY(fixture.manager->rotations.empty());
        QSignalSpy finished(&dialog, &RotateDialog::finished_run);
        for (int i = 0; i < 3; ++i) primary(dialog)->click();
        QVERIFY(finished.wait(60'000));
        QVERIFY(says(dialog, QStringLiteral("number 2")));
        primary(dialog)->click();
        QTest::qWait(0);
        QCOMPARE(fixture.manager->rotations, std::vector<RegionId>{region.id});
    }

    void only_what_is_encrypted_has_a_key() {
        RegionInfo region;
        QVERIFY(!RotateDialog::applies_to(region));
        region.security_level = SecurityLevel::high;
        QVERIFY(RotateDialog::applies_to(region));
        region.state = RegionState::quarantined;
        QVERIFY(!RotateDialog::applies_to(region));
    }

    void a_history_that_was_changed_is_told_from_a_genuine_one() {
        Fixture fixture(10);
        for (const bool genuine : {true, false}) {
            fixture.audit->genuine = genuine;
            AuditDialog dialog(fixture.workspace, &fixture.window);
            dialog.setAttribute(Qt::WA_DeleteOnClose, false);
            dialog.show();
            QSignalSpy verified(&dialog, &AuditDialog::verified);
            QVERIFY(verified.wait(60'000));
            auto* findings = dialog.findChild<QTableWidget*>();
            QCOMPARE(findings->isVisible(), !genuine);
            QVERIFY(says(dialog,
                         genuine ? QStringLiteral("1 to 52,310") : QStringLiteral("not genuine")));
            if (!genuine) QCOMPARE(findings->item(0, 1)->text(), QStringLiteral("20,418"));
        }
    }

    void the_security_filter_leaves_what_concerns_it() {
        Fixture fixture(30);
        fixture.window.show_page(QStringLiteral("events"));
        auto* page = fixture.window.findChild<EventsPage*>();
        auto* model = page->findChild<EventModel*>();
        QTRY_VERIFY_WITH_TIMEOUT(model->rowCount() > 100, kPatienceMs);
        for (auto* tool : page->findChildren<QToolButton*>())
            if (tool->text() == QStringLiteral("Security")) tool->click();
        QTRY_VERIFY_WITH_TIMEOUT(all_concern_security(*model), kPatienceMs);
        QVERIFY(page->findChild<QLabel*>(QStringLiteral("badge"))->isVisible());
    }

    void a_report_takes_the_filters_that_were_chosen() {
        Fixture fixture(10);
        EventQuery shown;
        shown.kind = EventKind::refused;
        ReportDialog dialog(fixture.workspace, shown, &fixture.window);
        dialog.setAttribute(Qt::WA_DeleteOnClose, false);
        dialog.show();
        auto* region = named<QLineEdit>(dialog, QStringLiteral("Region"));
        region->setText(QStringLiteral("not an id"));
        QVERIFY(!primary(dialog)->isEnabled());
        auto* period = named<QComboBox>(dialog, QStringLiteral("Period"));
        period->setCurrentIndex(period->count() - 1);
        keep(dialog, QStringLiteral("export-between"));
        period->setCurrentIndex(0);
        const auto id = fixture.world.rows().front().info.id.str();
        region->setText(QString::fromStdString(id));
        named<QLineEdit>(dialog, QStringLiteral("User"))->setText(QStringLiteral("root"));
        dialog.set_format(ReportFormat::csv);
        dialog.set_file(QStringLiteral("/tmp/a b.csv"));
        QVERIFY(says(dialog, QStringLiteral("--format csv -o '/tmp/a b.csv' --user root")));
        QSignalSpy finished(&dialog, &ReportDialog::finished_run);
        primary(dialog)->click();
        QVERIFY(finished.wait(60'000));
        QCOMPARE(fixture.audit->orders.size(), std::size_t{1});
        const auto& order = fixture.audit->orders.front();
        QVERIFY(order.format == ReportFormat::csv && order.file == "/tmp/a b.csv");
        QVERIFY(order.filter.kind == EventKind::refused && order.filter.region_id == id);
        QCOMPARE(order.filter.uid, std::optional<std::uint32_t>(0));
        QVERIFY(says(dialog, QStringLiteral("audit verify '/tmp/a b.csv' --key ")));
        keep(dialog, QStringLiteral("export-done"));
    }

    void a_report_is_drawn_whole() {
        SyntheticWorld world(20);
        SyntheticEvents events(world, 400);
        EventQuery newest;
        newest.newest_first = true;
        newest.limit = 150;
        const auto rows = *events.query(newest);
        for (const bool genuine : {true, false}) {
            const auto pdf = draw_report(make_report(genuine), rows);
            QVERIFY(pdf.startsWith("%PDF-"));
            QVERIFY(pdf.trimmed().endsWith("%%EOF"));
            QVERIFY(pdf.contains("/Type /Page"));
            const auto directory = qEnvironmentVariable("SNAKEPIT_UI_GALLERY");
            if (directory.isEmpty()) continue;
            QFile file(QDir(directory).filePath(genuine ? QStringLiteral("report.pdf")
                                                        : QStringLiteral("report-bad.pdf")));
            QVERIFY(file.open(QIODevice::WriteOnly) && file.write(pdf) == pdf.size());
        }
    }

    void every_dialog_paints_in_both_themes_data() {
        QTest::addColumn<QString>("theme");
        QTest::newRow("light") << QStringLiteral("light");
        QTest::newRow("dark") << QStringLiteral("dark");
    }

    void every_dialog_paints_in_both_themes() {
        QFETCH(QString, theme);
        Theme::instance().apply(*parse_theme(theme));
        Policy before;
        before.permissions.group = Permission::read_only;
        before.permissions.other = Permission::read_only;
        before.rules = {rule_for("daemon", Right::read), rule_for("nobody-here", Right::manage)};
        before.rules.push_back({{}, "adm", "/usr/bin/python3", 0, 0, before.rules[0].allow});
        PolicyFixture policy(before);
        named<QLineEdit>(policy.dialog->what_if(), QStringLiteral("User"))
            ->setText(QStringLiteral("daemon"));
        choose(policy.permission("others"), Permission::none);
        policy.preview();
        keep(*policy.dialog, QStringLiteral("policy-") + theme);
        RuleDialog rule(policy.fixture.workspace, before.rules[1], {}, {}, policy.dialog.get());
        rule.setAttribute(Qt::WA_DeleteOnClose, false);
        rule.show();
        QTRY_VERIFY_WITH_TIMEOUT(says(rule, QStringLiteral("nobody-here'")), kPatienceMs);
        keep(rule, QStringLiteral("rule-") + theme);
        auto& fixture = policy.fixture;
        RegionInfo region;
        for (const auto& row : fixture.world.rows())
            if (RotateDialog::applies_to(row.info)) region = row.info;
        RotateDialog rotate(fixture.workspace, region, &fixture.window);
        rotate.setAttribute(Qt::WA_DeleteOnClose, false);
        rotate.show();
        keep(rotate, QStringLiteral("rotate-") + theme);
        for (const bool genuine : {true, false}) {
            fixture.audit->genuine = genuine;
            AuditDialog audit(fixture.workspace, &fixture.window);
            audit.setAttribute(Qt::WA_DeleteOnClose, false);
            QSignalSpy verified(&audit, &AuditDialog::verified);
            audit.show();
            QVERIFY(verified.wait(60'000));
            keep(audit, QStringLiteral("audit-%1-%2").arg(genuine ? "good" : "bad", theme));
        }
        ReportDialog report(fixture.workspace, {}, &fixture.window);
        report.setAttribute(Qt::WA_DeleteOnClose, false);
        report.show();
        keep(report, QStringLiteral("export-") + theme);
        const auto background = policy.dialog->grab().toImage().pixelColor(4, 4);
        QCOMPARE(background.lightness() < 128, theme == QStringLiteral("dark"));
    }
};

}  // namespace snakepit::shm::ui

QTEST_MAIN(snakepit::shm::ui::TestSecurityDialogs)
#include "tst_security_dialogs.moc"
