// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/dialogs/rotate_dialog.h"

#include <QVBoxLayout>

#include "ui/models/format.h"
#include "ui/models/workspace.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

RotateDialog::RotateDialog(Workspace& workspace, const RegionInfo& region, QWidget* parent)
    : TaskDialog(workspace, tr("Rotate key"),
                 tr("%1 (%2) is encrypted again with a new key. Programs can keep using it: "
                    "writers wait for a moment, and each program gets the new key with its next "
                    "access. The old key no longer decrypts it.")
                     .arg(QString::fromStdString(region.id.str()), size_text(region.size)),
                 parent),
      region_(region),
      run_(make_primary(tr("Rotate key"))) {
    fit(620);
    add_command_line();
    set_command(
        workspace_.command(u"key rotate %1"_s.arg(QString::fromStdString(region.id.str()))));
    body()->addStretch();
    add_action(run_, this, &RotateDialog::run)->setDefault(true);
    run_->setFocus();
}

bool RotateDialog::applies_to(const RegionInfo& region) {
    return region.security_level != SecurityLevel::standard && !region.sealed &&
           (region.state == RegionState::live || region.state == RegionState::orphan);
}

void RotateDialog::run() {
    run_->setEnabled(false);
    closer()->setText(tr("Close"));
    set_message(tr("Encrypting %1 again… This continues if the dialog is closed.")
                    .arg(size_text(region_.size)),
                Severity::neutral);
    workspace_.act(
        this, [id = region_.id](ManagerPort& port) { return port.rotate_key(id); },
        [this](const Result<std::uint32_t>& version) {
            if (version)
                set_message(
                    tr("Done: the region is now encrypted with key number %1.").arg(*version),
                    Severity::good);
            else
                set_message(tr("The key was not changed. %1").arg(error_text(version.error())),
                            Severity::bad);
            run_->setEnabled(!version);
            Q_EMIT finished_run();
        });
}

}  // namespace snakepit::shm::ui
