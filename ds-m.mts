import { scoreAnswer } from './src/reward/answer-metrics.js'
import { readQuestions } from './src/dataset/read-questions.js'
const qs=[]; for (const f of ['nq/flashrag.test.1000.jsonl','triviaqa/flashrag.test.1000.jsonl','popqa/flashrag.test.1000.jsonl','hotpotqa/r1-searcher.500.jsonl']) qs.push(...await readQuestions('/work/shared/realdata/'+f,{onReport:()=>0}))
const mix=[]; const of=(d:string)=>qs.filter(q=>q.dataset===d); const rep=(l:any[],n:number)=>{for(let i=0;i<n;i++)mix.push({a:l[(i+1)%l.length].goldAnswers[0],g:l[i%l.length].goldAnswers.map((x:string)=>x+(i%7===0?' ':''))})}
rep(of('nq'),3610);rep(of('triviaqa'),11313);rep(of('popqa'),14267);rep(of('hotpotqa'),7405+12576+2417+125)
for (let k=0;k<5;k++){const t=performance.now(); const c=process.cpuUsage(); let s=0; for(const {a,g} of mix) s+=scoreAnswer(a,g).em; const d=process.cpuUsage(c); console.log(mix.length, mix.reduce((x,m)=>x+m.g.length,0),(performance.now()-t).toFixed(0)+' ms wall', (d.user+d.system)/1000|0,'cpu', s)}
