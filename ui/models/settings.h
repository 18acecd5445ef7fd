// SPDX-License-Identifier: GPL-3.0-or-later
// What the monitor remembers between runs. Columns are remembered by name, so that a release with
// more of them keeps what was chosen; settings of another version are set aside whole.
#pragma once

#include <QString>
#include <memory>

class QHeaderView;
class QSettings;

namespace snakepit::shm::ui {

// False: nothing is read and nothing is written (screenshots, tests).
void set_remembering(bool remembering);
bool remembering();
void forget_layout();  // columns, splitters and the window's place; not the theme

QString remembered(const QString& key, const QString& otherwise = {});
void remember(const QString& key, const QString& value);
QByteArray remembered_state(const QString& key);
void remember_state(const QString& key, const QByteArray& state);

void save_header(const QString& key, const QHeaderView& header);
void restore_header(const QString& key, QHeaderView& header);

}  // namespace snakepit::shm::ui
