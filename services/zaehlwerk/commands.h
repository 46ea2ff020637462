/* commands: what the command line `zaehlwerk` can do, one file each. */
#ifndef COMMANDS_H
#define COMMANDS_H

/** Exit statuses (sysexits.h): 0, 64 usage, 65 the input cannot be decoded, 69, 75 not done yet,
 * 78 configuration.
 */

/** argv[0] is the command's own name. Each returns an exit status. */
int command_decode(int argc, char **argv);
int command_anonymise(int argc, char **argv);
int command_check(int argc, char **argv);
int command_tail(int argc, char **argv);
int command_retire(int argc, char **argv);
int command_export(int argc, char **argv);
int command_import(int argc, char **argv);
int command_rejects(int argc, char **argv);
int command_replay(int argc, char **argv);
int command_keygen(int argc, char **argv);

#endif
