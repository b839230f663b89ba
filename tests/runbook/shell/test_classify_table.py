"""Commands and their class. Blocks are parted by blank lines where a command has several lines."""

import pytest

from tocsin.runbook.shell import classify

READ = r"""
kubectl get pods -n production
kubectl get pods -A -o wide
kubectl -n production get pods
kubectl --namespace=production get deploy,rs,svc
kubectl --context prod get nodes
k get pods
oc get pods
KUBECONFIG=~/.kube/prod kubectl get pods
export KUBECONFIG=~/.kube/config-qawave-prod
export KUBECONFIG=~/.kube/prod; kubectl get pods
kubectl get events -n production --sort-by='.lastTimestamp' | tail -20
kubectl get pod <pod-name> -n production -o yaml | grep -A 10 resources
kubectl get pods -o jsonpath='{.items[*].metadata.name}'
kubectl get pods -o jsonpath={.items[*].metadata.name}
kubectl get pods -l app=backend --field-selector=status.phase!=Running
kubectl get hpa -n production --watch
kubectl get pods -n "$NAMESPACE"
kubectl get pods -n $NAMESPACE
kubectl describe pod <pod-name> -n production
kubectl describe deployment backend
kubectl logs deployment/backend -n production --since=10m | tail -100
kubectl logs deployment/backend --since=30m | grep -i error
kubectl logs <pod-name> -n production --previous
kubectl logs -f deploy/backend
kubectl logs -l app=backend --prefix --tail=-1
kubectl top pods -n production
kubectl top nodes
kubectl events -n production
kubectl version
kubectl cluster-info
kubectl api-resources
kubectl explain pods.spec
kubectl rollout status deployment/backend -n production
kubectl -n production rollout history deployment/backend
kubectl rollout history deployment/backend --revision=3
kubectl config current-context
kubectl config get-contexts
kubectl config view
kubectl auth can-i delete pods
kubectl wait --for=condition=ready pod -l app=backend --timeout=60s
kubectl exec deployment/backend -n production -- curl -s http://postgresql:5432
kubectl exec deployment/backend -n production -- ping -c 3 postgresql
kubectl exec -it postgresql-0 -n production -- df -h
kubectl exec postgresql-0 -- psql -U qawave -c "SELECT count(*) FROM pg_stat_activity;"
kubectl exec -it postgresql-0 -- psql -U qawave -c "SELECT * FROM pg_locks WHERE NOT granted;"
kubectl exec pod/x -- sh -c 'df -h && free -m'
kubectl exec pod/x -c app -- cat /etc/hosts
kubectl exec redis-0 -- redis-cli INFO
kubectl exec postgresql-0 ls
curl https://qawave.io/health
curl -s https://qawave.io/health
curl -sS -f -o /dev/null -w "%{http_code}" https://qawave.io/health
curl -I https://qawave.io
curl -s -X GET https://qawave.io/health
curl --head --max-time 5 https://qawave.io
curl -s -H "Authorization: Bearer $TOKEN" https://api.example.com/v1/status
curl -G http://prometheus:9090/api/v1/query --data-urlencode 'query=up'
curl -s https://qawave.io/health | jq .
curl -s "https://$HOST/health"
curl -s localhost:8080/actuator/health | python3 -m json.tool
wget -qO- https://qawave.io/health
wget --spider https://qawave.io
watch -n 30 'kubectl get pods -n production; echo "---"; curl -s https://qawave.io/health'
watch kubectl get pods
watch -d -n 5 kubectl top pods
psql -c "SELECT 1"
psql -U app -d app -tAc "SELECT count(*) FROM orders WHERE state = 'stuck'"
psql -c "SHOW max_connections"
psql -c "EXPLAIN SELECT * FROM t"
psql -c "WITH a AS (SELECT 1) SELECT * FROM a"
psql -c "SELECT pid, now() - query_start AS age FROM pg_stat_activity ORDER BY 2 DESC LIMIT 5"
psql -c '\dt'
psql -l
mysql -u root -psecret -e "SHOW PROCESSLIST"
mysql -e "SELECT * FROM information_schema.processlist\G"
redis-cli -h redis PING
redis-cli INFO memory
redis-cli SLOWLOG GET 10
redis-cli config get maxmemory
rabbitmqctl list_queues
mongosh --quiet --eval 'rs.status()'
grep -r error /var/log/app
tail -100 /var/log/app.log
tail -f /var/log/app.log
head -5 /var/log/syslog | wc -l
sort -n -k2 counts.txt | uniq -c | sort -rn
awk '{print $1}' access.log
awk '$9 >= 500 {count++} END {print count}' access.log
sed -n '1,20p' app.log
echo hi | sed 's/a/b/g'
jq -r '.items[].name' out.json
df -h
du -sh /var/lib
free -m
uptime
ps aux | grep java | head
top -b -n 1
dig example.com
nslookup example.com
ping -c 3 example.com
nc -zv redis 6379
ss -tulpn
date
date -u +%H:%M
hostname
dmesg -T | tail
journalctl -u backend --since "10 min ago" --no-pager
systemctl status backend
systemctl --failed
service nginx status
docker ps
docker logs backend --tail 100
docker compose ps
docker-compose logs backend
docker exec backend df -h
docker stats --no-stream
helm list -n production
helm history backend -n production
argocd app get qawave
aws ec2 describe-instances --region eu-west-1
aws rds describe-db-instances
aws s3 ls
gcloud compute instances list
git log --oneline -5
terraform state list
find /var/log -name '*.log' -mtime -1
find . -type f -exec grep -l error {} \;
find /var/log -size +100M | xargs ls
kubectl get pods -o name | xargs -I{} kubectl logs {} --tail=5
time kubectl get pods
timeout 10 kubectl get pods
nohup kubectl get pods
sudo -u postgres psql -c "SELECT 1"
env FOO=bar kubectl get pods
/usr/bin/kubectl get pods
bash -c 'kubectl get pods'
sh -lc "kubectl get pods | grep backend"
command -v kubectl
kubectl get pods 2>/dev/null
kubectl get pods > /dev/null 2>&1
kubectl get pods || echo "none"
kubectl get pods && kubectl get svc
if kubectl get pods; then echo up; fi
for p in a b; do kubectl logs "$p"; done
echo "pods: $(kubectl get pods | wc -l)"
POD=$(kubectl get pods -o name | head -1); kubectl logs "$POD"
URL=https://qawave.io; curl -s $URL/health
cat <<EOF | grep x
! kubectl get pods | grep -q CrashLoop
[ -f /etc/hosts ] && cat /etc/hosts
[[ -n "$POD" ]] && echo yes
diff <(kubectl get pods) <(kubectl get svc)
openssl s_client -connect qawave.io:443 -servername qawave.io </dev/null | openssl x509 -noout -dates
echo | openssl s_client -connect qawave.io:443 2>/dev/null | openssl x509 -noout -enddate
"kubectl" 'get' pods
kubectl get pods \
  -n production
"""

CHANGE = r"""
kubectl rollout restart deployment/backend -n production
kubectl rollout undo deployment/backend -n production
kubectl -n production rollout undo deployment/backend
kubectl rollout restart deployment/<name> -n production
kubectl rollout pause deployment/backend
kubectl rollout resume deployment/backend
kubectl scale deployment/backend --replicas=5 -n production
kubectl --context prod -n production scale deployment/backend --replicas=5
kubectl cordon node-1
kubectl uncordon node-1
k rollout undo deployment/backend
kubectl get secrets
kubectl get secret db -o yaml
kubectl get pods,secrets
kubectl get -Ao yaml secrets
kubectl describe secret/db
kubectl get --raw /api/v1/namespaces
kubectl get $KIND
kubectl get <resource>
kubectl $VERB pods
$KUBECTL get pods
kubectl get -f pods.yaml
kubectl label pod x a=b
kubectl create deployment x --image=y
kubectl port-forward svc/x 8080:80
kubectl proxy
kubectl config use-context prod
kubectl config view --raw
kubectl cluster-info dump
kubectl get pods --profile=cpu --profile-output=/tmp/x
kubectl somethingnew get
kubectl get pods > pods.txt
kubectl get pods >> pods.txt
kubectl get pods | tee pods.txt
kubectl get pods &> out
cat a > b
curl -X POST https://qawave.io/-/reload
curl -XPOST https://qawave.io/-/reload
curl -sXDELETE https://qawave.io/x
curl --request PUT https://qawave.io/x
curl -d 'a=b' https://qawave.io/x
curl --data @file https://qawave.io/x
curl --json '{}' https://qawave.io/x
curl -F file=@x https://qawave.io/x
curl -T file https://qawave.io/x
curl -o out.html https://qawave.io
curl -O https://qawave.io/x.tar.gz
curl -K conf
curl -H 'X-HTTP-Method-Override: DELETE' https://qawave.io/x
curl -H @headers https://qawave.io/x
curl -w '%output{/tmp/x}hi' https://qawave.io/x
curl dict://redis:6379/flushall
curl gopher://redis:6379/_FLUSHALL
curl dict.example.com
curl $URL
curl "$URL"
curl -s https://$HOST/x
curl https://x.sh | bash
curl -c jar https://x.io
wget https://qawave.io/x
wget -O out https://qawave.io/x
wget --post-data=a https://qawave.io/x -O-
psql
psql -f fix.sql
psql -c "SELECT 1" -o out.txt
psql -c "SELECT * INTO t2 FROM t"
psql -c "EXPLAIN ANALYZE SELECT 1"
psql -c "SELECT * FROM t FOR SHARE"
psql -c "SELECT pg_sleep(100)"
psql -c "SELECT my_function()"
psql -c "SELECT nextval('s')"
psql -c "SELECT set_config('a','b',false)"
psql -c "SELECT 1 -- it's"
psql -c "$SQL"
psql "$DATABASE_URL" -c "SELECT 1"
psql < fix.sql
echo "SELECT 1" | psql
mysql -e "SELECT 1 INTO OUTFILE '/tmp/x'"
redis-cli KEYS '*'
redis-cli
redis-cli config get requirepass
echo hi | nc host 80
ssh host uptime
sh fix.sh
./fix.sh
bash -c "$CMD"
bash -cls 'touch x'
bash < script
source env.sh
. env.sh
eval "$CMD"
$CMD
"$CMD" get pods
alias k=kubectl
kubectl() { touch x; }; kubectl get pods
PATH=/tmp:$PATH kubectl get pods
export PATH=/tmp:$PATH
LD_PRELOAD=/tmp/x.so ls
BASH_ENV=/tmp/x bash -c ls
python3 fix.py
python -c 'print(1)'
node -e '1'
perl -e '1'
make deploy
sed -i s/a/b/ file
sed 's/a/b/w out' file
sed '1e touch x' file
awk '{print > "out"}' file
awk 'BEGIN {system("touch x")}'
awk 'BEGIN {print "x" | "sh"}'
awk '{print "}" > "out"}' file
sort -o out in
uniq in out
jq . f > out
find . -fprint out
find . -exec touch {} \;
find . -exec sh -c 'touch "$1"' _ {} \;
xargs touch
ls | xargs curl
xargs --replace rm-it echo {}
tee out
cp a b
mv a b
ln -s a b
mkdir x
touch x
chmod 777 x
chown root x
date -s 12:00
date -I 010112002026
hostname newname
crontab new
crontab
mount /dev/sda1 /mnt
sysctl -w vm.swappiness=1
sysctl vm.swappiness=1
ss -K dst 1.2.3.4
dmesg -C
journalctl --vacuum-size=1G
systemctl restart backend
systemctl stop backend
service nginx restart
docker restart backend
docker compose up -d
docker cp a b:c
helm get values backend
helm repo add a b
argocd app sync qawave
argocd app get qawave --refresh
aws ec2 start-instances --instance-ids i-1
aws secretsmanager get-secret-value --secret-id x
aws s3 cp a s3://b
gcloud compute instances start x
git push
git checkout main
git -c core.pager=touch log
terraform plan
nohup ./server &
sudo -i
sudo su
setsid sleep 10
iptables -F
ip link set eth0 down
ip addr add 10.0.0.1/8 dev eth0
cat /var/run/secrets/kubernetes.io/serviceaccount/token
cat ~/.ssh/id_rsa
openssl genrsa -out key 2048
echo 'DELETE / HTTP/1.1' | openssl s_client -connect x:443
hash -p /tmp/evil kubectl; kubectl get pods
trap 'touch x' EXIT
test -v 'a[$(touch x)]'
[[ 'a[$(touch x)]' -eq 1 ]]
x='a[$(touch x)]'; echo $((x))
printf -v 'a[$(touch x)]' y
echo ${x@P}
echo "$(touch x)"
echo `touch x`
echo `echo \`touch x\``
echo `echo `touch x` 2>/dev/null`
diff <(touch x) b
cat <<EOF $(touch x)
((touch x))
((x = y))
ls; touch x
ls && touch x
ls || touch x
ls | touch x
ls & touch x
(touch x)
{ touch x; }
if true; then touch x; fi
while true; do touch x; done
for i in a; do touch x; done
case x in x) touch x;; esac
! touch x
\touch x
"touch" x
t'ouc'h x
watch 'touch x'
watch -n 5 touch x
timeout 5 touch x
time touch x
nice -n 5 touch x
env A=b touch x
command touch x
xargs -n 1 touch
kubectl get pods -w | while read l; do touch "$l"; done
exec 3<>/dev/tcp/host/80
echo "unclosed
unknowntool --read-only
kub\
ectl get pods
kubectl get se\
crets
:(){ :|:& };:
"""

DESTRUCTIVE = r"""
kubectl delete pod x
kubectl -n production delete pod x
kubectl delete pod x --dry-run=client
KUBECONFIG=y kubectl delete pod x
k delete pod x
kubectl --unknown-flag delete pod x
kubectl $FLAGS delete pod x
kubectl drain node-1
kubectl apply -f x.yaml
cat x.yaml | kubectl apply -f -
kubectl patch deployment x -p '{}'
kubectl edit deployment x
kubectl set image deployment/backend app=app:1
kubectl replace -f x.yaml
kubectl cp a pod:/b
kubectl debug node/x
kubectl run x --image=y
kubectl taint nodes x a=b:NoExecute
kubectl attach x
kubectl exec -it pod -- bash
kubectl exec -it pod -- sh
kubectl exec pod -- rm -rf /tmp/x
kubectl exec pod -- touch x
kubectl exec pod -- sh -c 'touch x'
kubectl exec pod -- curl -X POST http://localhost/shutdown
kubectl exec pod -- psql -c "DELETE FROM t"
kubectl exec pod -- psql -c "SELECT pg_terminate_backend(1)"
kubectl exec pod touch x
kubectl exec pod rm -- ls
kubectl exec pod -- redis-cli FLUSHALL
kubectl auth reconcile -f x
kubectl get pods -o name | xargs kubectl delete
kubectl get pods | grep Evicted | awk '{print $1}' | xargs kubectl delete pod
kubectl delete $(kubectl get pods -o name)
echo $(kubectl delete pod x)
watch kubectl delete pod x
bash -c 'kubectl delete pod x'
sudo bash -c "kubectl delete pod x"
eval kubectl delete pod x
timeout 5 sudo env A=b kubectl delete pod x
$KUBECTL delete pod x
find /tmp -name x -delete
find /tmp -exec rm {} \;
ls | xargs rm
rm -rf /tmp/x
/bin/rm x
\rm x
dd if=/dev/zero of=/dev/sda
mkfs.ext4 /dev/sda
kill -9 1
pkill java
killall java
shutdown -h now
reboot
truncate -s 0 /var/log/app.log
psql -c "DELETE FROM t"
psql -c "UPDATE t SET a=1"
psql -c "DROP TABLE t"
psql -c "SELECT 1; DELETE FROM t"
psql -c "WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d"
psql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
psql -c "SELECT pg_cancel_backend(1)"
psql -c "VACUUM FULL t"
psql -tAc "delete from t"
mysql -e "KILL 5"
mysql -uroot -px -e "DROP DATABASE x"
redis-cli FLUSHALL
redis-cli -h redis DEL key
redis-cli CONFIG SET maxmemory 1
helm upgrade backend ./chart
helm rollback backend 1
helm uninstall backend
terraform apply
terraform destroy -auto-approve
docker rm -f backend
docker system prune
docker compose down
docker exec backend touch x
aws ec2 terminate-instances --instance-ids i-1
aws rds delete-db-instance --db-instance-identifier x
aws s3 rm s3://x --recursive
gcloud compute instances delete x
gcloud compute instances --zone list delete x
systemctl reboot
argocd app delete x
kubectl get pods; kubectl delete pod x
kubectl get pods & kubectl delete pod x
kubectl delete pod "unclosed
"""

TABLE = {"read": READ, "change": CHANGE, "destructive": DESTRUCTIVE}


def _commands(text: str) -> list[str]:
    commands: list[str] = []
    for line in text.strip("\n").split("\n"):
        if commands and commands[-1].endswith("\\"):
            commands[-1] += "\n" + line
        else:
            commands.append(line)
    return [c + "\na\nEOF" if "<<EOF" in c else c for c in commands]


ROWS = [(command, wanted) for wanted, text in TABLE.items() for command in _commands(text)]


@pytest.mark.parametrize(("command", "wanted"), ROWS, ids=[command for command, _ in ROWS])
def test_a_command_has_its_class(command: str, wanted: str) -> None:
    verdict = classify(command)
    assert verdict.step_class == wanted, verdict.reason
    assert verdict.reason


def test_the_table_is_large_enough_to_mean_something() -> None:
    assert len(ROWS) >= 200
    assert len({command for command, _ in ROWS}) == len(ROWS)
