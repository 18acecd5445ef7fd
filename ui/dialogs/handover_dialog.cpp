// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/dialogs/handover_dialog.h"

#include <QMessageBox>
#include <QPushButton>

namespace snakepit::shm::ui {

Handover ask_handover(QWidget* parent, const QString& programs) {
    QMessageBox box(QMessageBox::Question, QObject::tr("The manager runs in this window"),
                    QObject::tr("%1 connected to it.").arg(programs), QMessageBox::NoButton,
                    parent);
    box.setTextFormat(Qt::PlainText);
    box.setInformativeText(QObject::tr(
        "A background service can take over without interruption. If the manager stops, regions "
        "and references are kept, but programs cannot allocate until a manager runs again."));
    auto* hand_over = box.addButton(QObject::tr("Hand over to a service"), QMessageBox::AcceptRole);
    auto* stop = box.addButton(QObject::tr("Stop the manager"), QMessageBox::DestructiveRole);
    box.addButton(QMessageBox::Cancel);
    box.setDefaultButton(hand_over);
    box.exec();
    if (box.clickedButton() == hand_over) return Handover::hand_over;
    return box.clickedButton() == stop ? Handover::stop : Handover::cancel;
}

}  // namespace snakepit::shm::ui
