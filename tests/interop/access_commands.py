"""mqadmin's commands for users and access control lists: what is run as the super user of a broker that has just him, and what must come out."""
from interop.mqadmin_commands import Command

USER_HEAD = r'#UserName +#Password +#UserType +#UserStatus'
ACL_HEAD = r'#Subject +#PolicyType +#Resource +#Actions +#SourceIp +#Decision'


def _command(words, *expects):
    return Command(words, expects)


# In the order in which they are run.
COMMANDS = (
    _command('createUser -b {broker} -u alice -p pass-of-alice', r'create user to {broker} success'),
    _command('createUser -c {cluster} -u boss -p pass-of-boss -t Super', r'create user to {broker} success'),
    _command('createUser -b {broker} -u alice -p again', r'CODE: 16'),
    _command('getUser -b {broker} -u alice', USER_HEAD, r'alice +pass-of-alice +Normal +enable'),
    _command('getUser -c {cluster} -u boss', r'boss +pass-of-boss +Super +enable'),
    _command('getUser -b {broker} -u nobody'),
    _command('updateUser -b {broker} -u alice -p pass-changed', r'update user to {broker} success'),
    _command('updateUser -b {broker} -u alice -t Super', r'success'),
    _command('updateUser -c {cluster} -u alice -s disable', r'success'),
    _command('updateUser -b {broker} -u nobody -p x', r'CODE: 16'),
    _command('listUser -b {broker}', USER_HEAD, r'alice +pass-changed +Super +disable', r'boss +pass-of-boss', r'root +secret-of-root +Super'),
    _command('listUser -c {cluster} -f ali', r'alice'),
    _command('listUser -b {broker} -f nobody'),
    _command('copyUser -f {broker} -t {broker} -u alice,boss', r'copy user of alice from {broker} to {broker} success', r'copy user of boss'),
    _command('copyUser -f {broker} -t {broker}', r'copy user of root'),
    _command('createAcl -b {broker} -s User:alice -r Topic:Orders,Topic:Paid* -a Pub,Sub -d Allow', r'create acl to {broker} success'),
    _command('createAcl -c {cluster} -s User:alice -r Group:billing -a Sub -i 127.0.0.1,10.0.0.0/8 -d Allow', r'success'),
    _command('createAcl -b {broker} -s User:nobody -r Topic:Orders -a Pub -d Allow', r'CODE: 16'),
    _command('getAcl -b {broker} -s User:alice', ACL_HEAD, r'User:alice +Custom +Topic:Orders +\[Pub, Sub\] +null +Allow', r'Topic:Paid\*',
             r'Group:billing +\[Sub\] +\[127.0.0.1, 10.0.0.0/8\] +Allow'),
    _command('getAcl -b {broker} -s User:boss'),
    _command('getAcl -b {broker} -s User:nobody', r'CODE: 16'),
    _command('updateAcl -b {broker} -s User:alice -r Topic:Orders -a All -d Deny', r'update acl to {broker} success'),
    _command('getAcl -c {cluster} -s User:alice', r'Topic:Orders +\[All\] +null +Deny'),
    _command('createAcl -b {broker} -s User:boss -r * -a Get,List -d Allow', r'success'),
    _command('listAcl -b {broker}', r'User:alice +Custom +Topic:Orders', r'User:boss +Custom +\* +\[Get, List\]'),
    _command('listAcl -b {broker} -s boss', r'User:boss'),
    _command('listAcl -c {cluster} -r billing', r'Group:billing'),
    _command('copyAcl -f {broker} -t {broker} -s User:alice', r'copy acl of User:alice from {broker} to {broker} success'),
    _command('copyAcl -f {broker} -t {broker}', r'copy acl of User:boss'),
    _command('deleteAcl -b {broker} -s User:alice -r Topic:Orders', r'delete acl to {broker} success'),
    _command('getAcl -b {broker} -s User:alice', r'^(?!(.*\n)*.*Topic:Orders)(.*\n)*.*Group:billing'),
    _command('deleteAcl -c {cluster} -s User:boss', r'success'),
    _command('getAcl -b {broker} -s User:boss'),
    _command('deleteAcl -b {broker} -s User:boss', r'CODE: 16'),
    _command('deleteUser -b {broker} -u alice', r'delete user to {broker} success'),
    _command('deleteUser -c {cluster} -u boss', r'success'),
    _command('deleteUser -b {broker} -u nobody', r'success'),
    _command('listUser -b {broker}', r'root'),
    _command('listAcl -b {broker}'),
)
